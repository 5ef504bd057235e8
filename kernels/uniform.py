"""Values that are the same at every step: computed once per call, by Python and torch themselves.

Whatever a step computes from attributes alone (``1 - 1 / self.tau``, ``self.w.sigmoid()``) is
recorded here as the calls that make it, and enters the kernel as one parameter. Evaluating the
very same calls is what keeps it bit-equal to eager, and differentiable by autograd.
"""

import operator
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["Guards", "Uniform"]


class Guards:
    """What a trace took for granted, with the means to check it again."""

    def __init__(self) -> None:
        self._facts: list[tuple[Callable[[Any], Any], Any]] = []

    def add(self, read: Callable[[Any], Any], value: Any) -> None:
        """Take for granted that ``read(node)`` is ``value``."""
        self._facts.append((read, value))

    def hold(self, node: Any) -> bool:
        """Whether everything still is as it was."""
        try:
            return all(_same(read(node), value) for read, value in self._facts)
        except (AttributeError, RuntimeError, TypeError, ValueError):
            return False


class Uniform:
    """A value recorded as the call that makes it: ``function(*args, **kwargs)``.

    It computes like the value it stands for. Python asking for its truth, its number or its
    length decides the trace, so that becomes a guard.
    """

    __slots__ = ("_args", "_function", "_guards", "_kwargs", "_value")

    def __init__(
        self,
        guards: Guards,
        value: Any,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self._guards, self._value = guards, value
        self._function, self._args, self._kwargs = function, args, kwargs or {}

    @classmethod
    def attribute(cls, guards: Guards, node: Any, path: str) -> "Uniform":
        """The attribute of a node at a dotted path."""
        get = operator.attrgetter(path)
        value = get(node)
        guards.add(lambda owner: type(get(owner)), type(value))
        return cls(guards, value, get)

    def evaluate(self, node: Any) -> Any:
        """The value for a node now."""
        if not self._args and not self._kwargs:
            return self._function(node)
        args = [_evaluated(arg, node) for arg in self._args]
        kwargs = {name: _evaluated(arg, node) for name, arg in self._kwargs.items()}
        return self._function(*args, **kwargs)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> "Uniform":
        """The result of a call with this value among its arguments."""
        value = function(*map(_value, args), **{name: _value(a) for name, a in kwargs.items()})
        return Uniform(self._guards, value, function, args, kwargs)

    def decide(self, convert: Callable[[Any], Any]) -> Any:
        """``convert`` of the value, taken for granted from now on."""
        value = convert(self._value)

        def read(node: Any) -> Any:
            with torch.no_grad():
                return convert(self.evaluate(node))

        self._guards.add(read, value)
        return value

    @property
    def value(self) -> Any:
        """The value while tracing."""
        return self._value

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._value, name)
        if callable(found):
            method = operator.methodcaller
            return lambda *args, **kwargs: self.call(
                lambda owner, *a, **k: method(name, *a, **k)(owner), self, *args, **kwargs
            )
        return self.decide(operator.attrgetter(name))

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        first = next(a for a in (*args, *(kwargs or {}).values()) if type(a) is Uniform)
        return first.call(function, *args, **(kwargs or {}))

    def __bool__(self) -> bool:
        return self.decide(bool)

    def __float__(self) -> float:
        return self.decide(float)

    def __int__(self) -> int:
        return self.decide(int)

    def __index__(self) -> int:
        return self.decide(operator.index)

    def __len__(self) -> int:
        return self.decide(len)

    __hash__ = object.__hash__


def _operator(name: str, reverse: bool) -> Callable[..., Any]:
    function = getattr(operator, name)

    def method(self: Uniform, *others: Any) -> Any:
        if any(hasattr(type(other), "__symbolic__") for other in others):
            return NotImplemented
        return (
            self.call(function, *others, self) if reverse else self.call(function, self, *others)
        )

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Uniform, f"__{_name}__", _operator(_name, reverse=False))
    setattr(Uniform, f"__r{_name}__", _operator(_name, reverse=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "abs", "getitem"):
    setattr(Uniform, f"__{_name}__", _operator(_name, reverse=False))


def _value(arg: Any) -> Any:
    return arg.value if type(arg) is Uniform else arg


def _evaluated(arg: Any, node: Any) -> Any:
    return arg.evaluate(node) if type(arg) is Uniform else arg


def _same(now: Any, then: Any) -> bool:
    if now is then:
        return True
    if isinstance(now, torch.Tensor) or isinstance(then, torch.Tensor):
        return False
    return type(now) is type(then) and bool(now == then)
