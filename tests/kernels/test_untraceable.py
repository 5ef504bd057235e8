"""The reason why a step cannot become a kernel, and where."""

import pytest
from spikeframe.kernels.untraceable import Untraceable, located


def users_line(error):
    raise error


def _caught(error):
    with pytest.raises(type(error)) as info:
        users_line(error)
    return located(info.value)


def test_the_users_function_and_line_are_named():
    text = str(_caught(Untraceable("draws random numbers")))
    line = users_line.__code__.co_firstlineno + 1
    assert text == f"users_line ({__file__}:{line}) draws random numbers"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ZeroDivisionError("by zero"), "raises ZeroDivisionError: by zero"),
        (KeyError(), "raises KeyError"),
    ],
)
def test_other_errors_are_reasons_too(error, says):
    found = _caught(error)
    assert isinstance(found, Untraceable)
    assert str(found).endswith(says)


def test_a_place_is_given_once():
    error = Untraceable("reads a file", "charge (mine.py:3)")
    assert located(error) is error
    assert str(error) == "charge (mine.py:3) reads a file"


def test_without_a_line_of_the_users_the_step_is_named():
    assert str(located(Untraceable("is odd"))) == "single_step_forward is odd"
