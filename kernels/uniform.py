"""Values that are the same at every step: computed once per call, by Python and torch themselves.

Whatever a step computes from attributes alone (``1 - 1 / self.tau``, ``self.w.sigmoid()``) is
recorded here as the calls that make it, and enters the kernel as one parameter. Evaluating the
very same calls is what keeps it bit-equal to eager, and differentiable by autograd.
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from .guards import Guards
from .untraceable import Untraceable

__all__ = ["Made", "Method", "Read", "Uniform", "UniformTensor", "WithoutGrad", "is_uniform"]

# The memory of a uniform tensor, which nobody reads: of a shape that passes for no number.
NOTHING = torch.full((2,), float("nan"))

# What hands out the memory of a tensor, through which it could change unseen.
_RAW = ("data", "grad", "storage", "untyped_storage", "data_ptr", "numpy", "__array__")


@dataclass(frozen=True)
class Read:
    """Reads an attribute, at a dotted path."""

    path: str

    def __call__(self, owner: Any) -> Any:
        return operator.attrgetter(self.path)(owner)


@dataclass(frozen=True)
class Method:
    """Calls a method by its name."""

    name: str

    def __call__(self, owner: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(owner, self.name)(*args, **kwargs)


@dataclass(frozen=True)
class WithoutGrad:
    """Calls a function under no_grad."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            return self.function(*args, **kwargs)


class Made(NamedTuple):
    """The call that makes a value; of the node alone where it has a path."""

    path: str | None
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Uniform:
    """A value recorded as the call that makes it: ``function(*args, **kwargs)``.

    It computes like the value it stands for. Python asking for its truth, its number or its
    length decides the trace, so that becomes a guard.
    """

    def __new__(
        cls,
        guards: Guards,
        value: Any,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        path: str | None = None,
    ) -> "Uniform":
        self: Uniform
        if isinstance(value, torch.Tensor):
            self = torch.Tensor._make_subclass(UniformTensor, NOTHING)
        else:
            self = object.__new__(Uniform)
        self.__dict__.update(_guards=guards, _value=value, _path=path)
        self.__dict__.update(_function=function, _args=args, _kwargs=kwargs or {})
        return self

    @classmethod
    def attribute(cls, guards: Guards, path: str, value: Any) -> "Uniform":
        """The attribute of a node at a dotted path."""
        owner, _, name = path.rpartition(".")
        guards.kind(owner, name, value)
        return cls(guards, value, Read(path), path=path)

    @classmethod
    def made(
        cls, guards: Guards, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> "Uniform":
        """The result of a call on what is the same at every step."""
        if not torch.is_grad_enabled():
            function = WithoutGrad(function)
        value = function(*_values(args), **_values(kwargs))
        if getattr(value, "is_complex", bool)():
            raise Untraceable("computes a complex number")
        return cls(guards, value, function, tuple(args), kwargs)

    def evaluate(self, node: Any) -> Any:
        """The value for a node now."""
        if self._path is not None:
            return self._function(node)
        return self._function(*_evaluated(self._args, node), **_evaluated(self._kwargs, node))

    def attributes(self) -> Iterator[tuple[str, Any]]:
        """The attributes that it is computed from: dotted paths, and values while tracing."""
        if self._path is not None:
            yield self._path, self._value
        for uniform in _uniforms((*self._args, *self._kwargs.values())):
            yield from uniform.attributes()

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> "Uniform":
        """The result of a call with this value among its arguments."""
        return Uniform.made(self._guards, function, args, kwargs)

    def decide(self, convert: Callable[[Any], Any]) -> Any:
        """``convert`` of the value, taken for granted from now on."""
        value = convert(self._value)
        self._guards.fact(lambda node: convert(self.evaluate(node)), value)
        return value

    @property
    def value(self) -> Any:
        """The value while tracing."""
        return self._value

    @property
    def made_by(self) -> Made:
        """The call that makes it."""
        return Made(self._path, self._function, self._args, self._kwargs)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.value)

    def __getattr__(self, name: str) -> Any:
        return self.attribute_of(name)

    def attribute_of(self, name: str) -> Any:
        """An attribute or a method of the value."""
        found = getattr(self._value, name)
        if name in _RAW or _in_place(name):
            raise Untraceable(f"may change what is no memory, by {name}: assign self.memory")
        if callable(found):
            return lambda *args, **kwargs: self.call(Method(name), self, *args, **kwargs)
        if isinstance(found, torch.Tensor):
            return self.call(Read(name), self)
        return self.decide(Read(name))

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = (*args, *(kwargs or {}).values())
        if any(hasattr(type(value), "__symbolic__") for value in given):
            return NotImplemented
        if _in_place(getattr(function, "__name__", "")) or "out" in (kwargs or {}):
            raise Untraceable("changes a tensor that is no memory in place")
        return next(_uniforms(given)).call(function, *args, **(kwargs or {}))

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

    def __str__(self) -> str:
        return self.decide(str)

    def __format__(self, spec: str) -> str:
        return self.decide(lambda value: format(value, spec))

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self))])  # type: ignore[index]

    __hash__ = object.__hash__
    __repr__ = __str__


class UniformTensor(Uniform, torch.Tensor):  # type: ignore[misc]
    """One that stands for a tensor, and must be one, since torch reads what says that it is."""

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN:
            return object.__getattribute__(self, name)
        return self.attribute_of(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise Untraceable(f"sets the attribute {name} of a tensor that is no memory")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise Untraceable("changes a tensor that is no memory in place")


_OWN = frozenset(
    (*Uniform.__dict__, "_guards", "_value", "_path", "_function", "_args", "_kwargs")
) - {"__module__", "__doc__", "__weakref__"}


def is_uniform(value: Any) -> bool:
    """Whether a value is one of these."""
    return type(value) in (Uniform, UniformTensor)


def _operator(name: str, reverse: bool = False) -> Callable[..., Any]:
    function = getattr(operator, name)

    def method(self: Uniform, *others: Any) -> Any:
        if any(hasattr(type(other), "__symbolic__") for other in others):
            return NotImplemented
        return (
            self.call(function, *others, self) if reverse else self.call(function, self, *others)
        )

    return method


def _augmented(name: str) -> Callable[..., Any]:
    plain = _operator(name)

    def method(self: Uniform, other: Any) -> Any:
        if isinstance(self.value, torch.Tensor):
            raise Untraceable("changes a tensor that is no memory in place: write a = a + b")
        return plain(self, other)

    return method


def _install_operators() -> None:
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
        setattr(Uniform, f"__{name}__", _operator(name))
        setattr(Uniform, f"__r{name}__", _operator(name, reverse=True))
        setattr(Uniform, f"__i{name}__", _augmented(name))
    for name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "getitem"):
        setattr(Uniform, f"__{name}__", _operator(name))
    for name in ("and_", "or_", "xor", "invert"):
        setattr(Uniform, f"__{name.strip('_')}__", _operator(name))
    setattr(Uniform, "__round__", lambda self, *digits: self.call(round, self, *digits))  # noqa: B010


def _in_place(name: str) -> bool:
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _uniforms(given: Any) -> Iterator[Uniform]:
    for arg in given:
        if is_uniform(arg):
            yield arg
        elif type(arg) in (list, tuple):
            yield from _uniforms(arg)


def _mapped(given: Any, change: Callable[[Uniform], Any]) -> Any:
    """Arguments with each uniform value in them replaced."""
    if is_uniform(given):
        return change(given)
    if type(given) in (list, tuple):
        return type(given)(_mapped(item, change) for item in given)
    if type(given) is dict:
        return {name: _mapped(item, change) for name, item in given.items()}
    return given


def _values(given: Any) -> Any:
    return _mapped(given, lambda uniform: uniform.value)


def _evaluated(given: Any, node: Any) -> Any:
    return _mapped(given, lambda uniform: uniform.evaluate(node))


_install_operators()
