"""Functions that are written out line by line."""

import pytest
from spikeframe.kernels.written import Written, reading


class Holder:
    """Takes any attribute."""


@pytest.mark.parametrize("name", ["plain", "two words", "class", "été", "'", "__mangled", "ﬁ"])
def test_any_attribute_is_read(name):
    holder, inner = Holder(), Holder()
    setattr(inner, name, 5)
    holder.inner = inner
    text = Written(["holder"])
    read = text.function(reading("holder", "inner", name))
    assert read(holder) == 5


def test_a_requirement_that_is_not_met_gives_none():
    text = Written(["a", "b"], (AttributeError,))
    text.require(["a > 1", "b > 1"], first="a is None", last=f"{text.bind(len)}(b) == 3")
    double = text.local("b * 2")
    function = text.function(double)
    assert function(2, 3) == 6
    assert function(None, 3) == 6
    assert function(0, "abc") == "abcabc"
    assert function(0, "ab") is None
    text = Written(["a"], (AttributeError,))
    assert text.function("a.missing")(1) is None
    with pytest.raises(AttributeError):
        Written(["a"]).function("a.missing")(1)


def test_objects_are_bound_not_printed():
    value = object()
    text = Written([])
    assert text.function(text.bind(value))() is value
    assert text.bind(value) != text.bind(value)


def test_what_is_raised_once_all_is_settled_is_raised():
    text = Written(["a"], (AttributeError,))
    text.require(["a.real > 0"])
    text.settle()
    first, second = text.locals("a.real, a.imag", 2)
    function = text.function(f"{first} + {second} + a.missing")
    assert function("no number") is None
    with pytest.raises(AttributeError, match="missing"):
        function(1)
