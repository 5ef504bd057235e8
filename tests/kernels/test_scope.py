"""What a hook's lines read beyond ``self`` is followed, guarded or refused, before they run."""

import math
import os
import time
import types

import pytest
import torch
from spikeframe.kernels.guards import Guards
from spikeframe.kernels.scope import Scope, is_library
from spikeframe.kernels.untraceable import Untraceable
from torch import nn

RATE = 0.5
PAIR = (1.0, "text")
TABLE = {"a": 1.0}
HERE = types.ModuleType("a_users_module")
HERE.RATE = 0.25


class Settings:
    """A class whose attributes a hook reads."""

    rate = 0.5

    def method(self):
        return TABLE


class Base:
    """What a hook's super() finds."""

    def charge(self, x):
        return x


class Owner(Base):
    """Whose hooks are read."""

    rate = 0.5


class Plain:
    """A class of plain numbers."""

    rate = 0.5


def helper(x):
    return x * RATE


def read(function, owner=Owner):
    """Read a function; the guards and codes of it."""
    guards = Guards()
    scope = Scope(guards)
    scope.read(function, owner)
    assert guards.hold(owner())
    return guards, scope.codes


def closing_over(value):
    def function(self, x):
        return x * value

    return function


def refused(function, owner=Owner):
    with pytest.raises(Untraceable) as error:
        read(function, owner)
    return str(error.value)


def _global(self, x):
    return x * RATE


def _tuple(self, x):
    return x * PAIR[0]


def _not_yet_bound(self, x):
    return x * UNBOUND  # noqa: F821


def _of_a_module(self, x):
    return x * HERE.RATE


def _of_a_class(self, x):
    return x * Plain.rate


def _of_its_class(self, x):
    return x * self.__class__.rate


def _of_a_base(self, x):
    return super(Owner, self).charge(x)


def _by_a_helper(self, x):
    return helper(x)


def _in_a_comprehension(self, x):
    return sum([x * RATE for _ in range(2)])


CHANGES = {
    _global: lambda patch: patch.setitem(globals(), "RATE", 0.75),
    _tuple: lambda patch: patch.setitem(globals(), "PAIR", (2.0, "text")),
    _not_yet_bound: lambda patch: patch.setitem(globals(), "UNBOUND", 1.0),
    _of_a_module: lambda patch: patch.setattr(HERE, "RATE", 0.75),
    _of_a_class: lambda patch: patch.setattr(Plain, "rate", 0.75),
    _of_its_class: lambda patch: patch.setattr(Owner, "rate", 0.75),
    _of_a_base: lambda patch: patch.setattr(Base, "charge", lambda self, x: 2 * x),
    _by_a_helper: lambda patch: patch.setitem(globals(), "RATE", 0.75),
    _in_a_comprehension: lambda patch: patch.setitem(globals(), "RATE", 0.75),
}


@pytest.mark.parametrize("function", CHANGES, ids=lambda function: function.__name__)
def test_what_is_read_is_guarded(function, monkeypatch):
    guards, _ = read(function)
    with monkeypatch.context() as patch:
        CHANGES[function](patch)
        assert not guards.hold(Owner())
    assert guards.hold(Owner())


def test_a_closure_is_guarded_by_its_content():
    function = closing_over(0.5)
    guards, _ = read(function)
    function.__closure__[0].cell_contents = 0.75
    assert not guards.hold(Owner())
    function.__closure__[0].cell_contents = float("0.5")
    assert guards.hold(Owner())


def test_a_name_that_is_bound_later_closes_over_nothing_yet():
    def function(self, x):
        return x * later

    read(function)
    later = 1.0
    assert later == function.__closure__[0].cell_contents


def test_functions_are_followed_once_and_their_code_is_known():
    def twice(self, x):
        return helper(helper(x))

    _, codes = read(twice)
    assert codes == [twice.__code__, helper.__code__]


def test_changed_code_is_noticed(monkeypatch):
    guards, _ = read(_by_a_helper)
    monkeypatch.setattr(helper, "__code__", (lambda x: x).__code__)
    assert not guards.hold(Owner())


def test_libraries_are_let_be():
    def function(self, x):
        import operator

        return operator.add(math.exp(-1.0), torch.nn.functional.relu(x)) + abs(x)

    _, codes = read(function)
    assert codes == [function.__code__]
    assert is_library("torch.nn")
    assert is_library("math")
    assert not is_library("torchvision")
    assert not is_library(None)


def test_a_class_that_is_made_is_read_and_a_module_class_is_not():
    def makes(self, x):
        return x * Settings().rate

    def asks(self, x):
        return x if isinstance(self, nn.Module) else -x

    assert "method (" in refused(makes)
    assert "reads TABLE, a dict" in refused(makes)
    read(asks)


def test_class_methods_read_their_class(monkeypatch):
    def fraction(cls, x):
        return x * cls.rate

    guards = Guards()
    Scope(guards).read_class_method(fraction, Owner)
    assert guards.hold(Owner())
    monkeypatch.setattr(Owner, "rate", 0.75)
    assert not guards.hold(Owner())


def _deletes(self, x):
    global RATE
    del RATE


def _whole_module(self, x):
    return vars(HERE)


def _dictionary(self, x):
    return x * TABLE["a"]


def _environment(self, x):
    return x * float(os.environ["RATE"])


def _variable(self, x):
    return x * float(os.getenv("RATE"))


def _clock(self, x):
    return x * time.time_ns()


def _grad_mode(self, x):
    return x if torch.is_grad_enabled() else -x


def _inference(self, x):
    return x if torch.is_inference_mode_enabled() else -x


def _autocast(self, x):
    return x if torch.is_autocast_enabled() else -x


def _evaluates(self, x):
    return eval("x")


def _type_name(self, x):
    return x if type(self).__name__ == "Owner" else -x


REFUSED = {
    _deletes: "writes the global RATE",
    _whole_module: "reads the module HERE as a whole: name what it is read for",
    _dictionary: "reads TABLE, a dict that is no attribute of the node and may change unseen",
    _environment: "reads os.environ, a _Environ",
    _variable: "reads os.getenv, which changes by itself",
    _clock: "reads time.time_ns, which changes by itself",
    _grad_mode: "reads torch.is_grad_enabled, which changes by itself",
    _inference: "reads torch.is_inference_mode_enabled, which changes by itself",
    _autocast: "reads torch.is_autocast_enabled, which changes by itself",
    _evaluates: "calls eval, whose result a trace cannot keep",
}


@pytest.mark.parametrize("function", REFUSED, ids=lambda function: function.__name__)
def test_what_is_refused_is_named_with_its_place(function):
    reason = refused(function)
    assert REFUSED[function] in reason
    assert f"{function.__name__} ({__file__}:{function.__code__.co_firstlineno})" in reason


def test_the_name_of_a_type_is_no_type():
    read(_type_name)


def test_the_innermost_place_is_named():
    def outer(self, x):
        return _dictionary(self, x)

    assert "_dictionary (" in refused(outer)
    assert "outer (" not in refused(outer)
