"""What a trace took for granted, checked again at every call.

Nearly always everything is the very object that it was, which one expression sees, written out in
Python for the facts of a trace. Only where it does not hold are values compared one by one.
"""

import enum
import operator
import types
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from .written import Written, reading

__all__ = ["ABSENT", "CHANGED", "Guards", "finds_like_torch", "is_constant", "kind"]

Function = TypeVar("Function", bound=Callable[..., Any])


class _Absent(enum.Enum):
    """Stands for what is not there."""

    ABSENT = "absent"


ABSENT = _Absent.ABSENT

# What reading an attribute that is no longer there, or no longer fits, may raise.
CHANGED = (AttributeError, RuntimeError, TypeError, ValueError, LookupError)

# Functions that find a submodule among the modules, if no parameter or buffer has its name.
_LIKE_TORCH: set[Any] = {torch.nn.Module.__getattr__}

_PLAIN = (bool, int, float, complex, str, bytes, enum.Enum, torch.dtype, torch.device)


class Guards:
    """Facts about a node, what it holds, its classes and the modules its lines are in.

    A path names the node ('') or what it holds ('surrogate_function'). A fact holds no reference
    to the node, which would keep it alive. All are added before the first is checked.
    """

    def __init__(self) -> None:
        self._owners: dict[str, _Owner] = {"": _Owner()}
        self._chains: dict[tuple[type, str], Any] = {}
        self._names: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._keys: dict[str, tuple[str, ...]] = {}
        self._codes: dict[types.FunctionType, tuple[types.CodeType, Any]] = {}
        self._facts: list[tuple[Callable[[Any], Any], Any]] = []
        self.same_as_then: Callable[[Any], bool] | None = None

    def value(self, path: str, name: str, value: Any) -> None:
        """The attribute is this value."""
        self._owner(path).values[name] = value

    def kind(self, path: str, name: str, value: Any) -> None:
        """The attribute is of this value's kind."""
        self._owner(path).kinds[name] = kind(value)

    def empty(self, path: str, names: Sequence[str]) -> None:
        """These containers are empty."""
        self._owner(path).empty.update(dict.fromkeys(names))

    def absent(self, path: str, name: str) -> None:
        """There is no such attribute."""
        self._owner(path).absent.append(name)

    def keys(self, name: str, keys: tuple[str, ...]) -> None:
        """The node's attribute is a dictionary of these keys in this order."""
        self._keys[name] = keys

    def cls(self, path: str, cls: type) -> None:
        """The node, or what it holds there, is of this very class."""
        self._owner(path).cls = cls

    def code(self, function: types.FunctionType) -> None:
        """A function has the code that it has now: who reloads a module puts another into it."""
        self._codes[function] = function.__code__, function.__defaults__

    def of_class(self, path: str, name: str, found: Any) -> None:
        """The class gives ``found`` for a name, and no attribute of the instance hides it."""
        self._owner(path).of_class[name] = found

    def in_class(self, owner: type, name: str) -> None:
        """A class itself, whatever its bases say, defines a name as it does now, or not."""
        self._chains[owner, name] = owner.__dict__.get(name, ABSENT)

    def in_namespace(self, namespace: dict[str, Any], name: str, value: Any) -> None:
        """A module's name is bound to this value."""
        self._names.setdefault(id(namespace), (namespace, {}))[1][name] = value

    def fact(self, read: Callable[[Any], Any], value: Any) -> None:
        """``read(node)`` is this value."""
        self._facts.append((read, value))

    def constants(self) -> tuple[tuple[str, str, Any], ...]:
        """Path, name and value of the flags, names and the like that were read."""
        return tuple(
            (path, name, value)
            for path, facts in self._owners.items()
            for name, value in facts.values.items()
            if value is None or type(value) in (bool, str)
        )

    def methods(self) -> tuple[tuple[str, str], ...]:
        """Path and name of the methods, plain functions of a class, that were read."""
        return tuple(
            (path, name)
            for path, facts in self._owners.items()
            for name, found in facts.of_class.items()
            if isinstance(found, types.FunctionType)
        )

    def hold(self, node: Any) -> bool:
        """Whether everything still is as it was."""
        if self.same_as_then is None:
            text = Written(("node",), CHANGED)
            text.require(["True", *self.write(text, node)[0]])
            self.same_as_then = text.function("True")
        return bool(self.same_as_then(node)) or self.are_equal(node)

    def are_equal(self, node: Any) -> bool:
        """Whether everything still is as it was, where not every object is the same."""
        try:
            for path, facts in self._owners.items():
                if not facts.hold(_attribute(node, path) if path else node):
                    return False
            if any(tuple(getattr(node, name)) != keys for name, keys in self._keys.items()):
                return False
            return self._modules_hold() and all(_same(f(node), v) for f, v in self._facts)
        except CHANGED:
            return False

    def write(self, text: Written, node: Any) -> tuple[list[str], dict[str, str]]:
        """Write out in terms that every object is the same, or of the same type.

        Arguments:
            text: A function of ``node``.
            node: A node for which they hold.

        Returns:
            The terms, and for the path of each owner the local variable that it is in.
        """
        terms, places = [], {"": "node"}
        for path in self._owners:
            owner, _, name = path.rpartition(".")
            if path and owner in places:
                found = _attribute(node, owner) if owner else node
                expression, more = _quick_reading(text, places[owner], found, name)
                terms += more
                places[path] = text.local(expression)
            elif path:
                places[path] = text.local(reading("node", *path.split(".")))
        for path, facts in self._owners.items():
            terms += facts.write(text, path, places)
        for namespace, names in self._names.values():
            for name, value in names.items():
                place = text.bind(namespace)
                now = f"{place}[{name!r}] is {text.bind(value)}"
                terms.append(f"{name!r} not in {place}" if value is ABSENT else now)
        for (cls, name), found in self._chains.items():
            now = f"{text.bind(cls)}.__dict__.get({name!r}, {text.bind(ABSENT)})"
            terms.append(f"{now} is {text.bind(found)}")
        for name, keys in self._keys.items():
            place = reading("node", name)
            one = f"len({place}) == 1 and {keys[0]!r} in {place}" if len(keys) == 1 else ""
            terms.append(one or f"(*{place},) == {text.bind(keys)}")
        same = text.bind(_same)
        for function, (code, _) in self._codes.items():
            terms.append(f"{text.bind(function)}.__code__ is {text.bind(code)}")
        terms += [f"{same}({text.bind(f)}(node), {text.bind(v)})" for f, v in self._facts]
        return terms, places

    def _owner(self, path: str) -> "_Owner":
        return self._owners.setdefault(path, _Owner())

    def _modules_hold(self) -> bool:
        for namespace, names in self._names.values():
            for name, value in names.items():
                now = namespace.get(name, ABSENT)
                if now is not value and not _same(now, value):
                    return False
        for (owner, name), found in self._chains.items():
            if owner.__dict__.get(name, ABSENT) is not found:
                return False
        return all((f.__code__, f.__defaults__) == then for f, then in self._codes.items())


class _Owner:
    """The facts about one object."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.kinds: dict[str, Any] = {}
        self.of_class: dict[str, Any] = {}
        self.empty: dict[str, None] = {}
        self.absent: list[str] = []
        self.cls: type | None = None

    def hold(self, owner: Any) -> bool:
        """Whether they hold of an object."""
        cls = type(owner)
        return (
            self.cls in (None, cls)
            and all(_same(getattr(owner, name), then) for name, then in self.values.items())
            and all(kind(getattr(owner, name)) == then for name, then in self.kinds.items())
            and self.of_class.keys().isdisjoint(owner.__dict__)
            and all(_same(getattr(cls, name), then) for name, then in self.of_class.items())
            and not any(getattr(owner, name) for name in self.empty)
            and not any(hasattr(owner, name) for name in self.absent)
        )

    def write(self, text: Written, path: str, places: dict[str, str]) -> list[str]:
        """Write them out, for the object that a local variable names."""
        place, terms = places[path], []
        if self.cls is not None:
            terms.append(f"type({place}) is {text.bind(self.cls)}")
        for name, then in self.values.items():
            inner = places.get(f"{path}.{name}" if path else name)
            terms.append(f"{inner or reading(place, name)} is {text.bind(then)}")
        for name, then in self.kinds.items():
            read, equal = ("type", "is") if isinstance(then, type) else (text.bind(kind), "==")
            terms.append(f"{read}({reading(place, name)}) {equal} {text.bind(then)}")
        if self.of_class:
            cls = text.local(f"type({place})")
            for name, then in self.of_class.items():
                terms.append(f"{reading(cls, name)} is {text.bind(then)}")
            own = text.local(f"{place}.__dict__")
            terms += [f"{name!r} not in {own}" for name in self.of_class]
        terms += [f"not {reading(place, name)}" for name in self.empty]
        terms += [f"not hasattr({place}, {name!r})" for name in self.absent]
        return terms


def finds_like_torch(function: Function) -> Function:
    """Say of a ``__getattr__`` that it finds a submodule where torch's own does."""
    _LIKE_TORCH.add(function)
    return function


def _quick_reading(text: Written, place: str, owner: Any, name: str) -> tuple[str, list[str]]:
    """Python that reads an attribute, and what must be true for that.

    Where it is a submodule, it is read from where it is kept: ``__getattr__`` takes as long as
    all the rest.
    """
    cls = type(owner)
    find = getattr(cls, "__getattr__", None)
    if (
        find not in _LIKE_TORCH
        or cls.__getattribute__ is not object.__getattribute__
        or hasattr(cls, name)
        or name in vars(owner)
        or owner._modules.get(name) is not getattr(owner, name)
    ):
        return reading(place, name), []
    now, absent = f"type({place})", text.bind(ABSENT)
    terms = [
        f"{now}.__getattr__ is {text.bind(find)}",
        f"{now}.__getattribute__ is {text.bind(object.__getattribute__)}",
        f"getattr({now}, {name!r}, {absent}) is {absent}",
        *(f"{name!r} not in {place}.{store}" for store in ("__dict__", "_parameters", "_buffers")),
    ]
    return f"{place}._modules[{name!r}]", terms


def kind(value: Any) -> Any:
    """What a value must have in common with another for a trace to serve both."""
    if isinstance(value, torch.Tensor):
        return type(value), value.dtype, value.shape, value.device
    return type(value)


def is_constant(value: Any) -> bool:
    """Whether a value cannot change in place, so that comparing it is enough."""
    if type(value) is tuple or type(value) is frozenset:
        return all(map(is_constant, value))
    return value is None or isinstance(value, _PLAIN)


def _attribute(node: Any, path: str) -> Any:
    for name in path.split("."):
        node = getattr(node, name)
    return node


def _same(now: Any, then: Any) -> bool:
    """Whether two values are one, or plain and equal bit by bit."""
    if now is then:
        return True
    if type(now) is not type(then):
        return False
    if isinstance(now, float):
        return repr(now) == repr(then)
    if isinstance(now, types.MethodType):
        return bool(now == then)
    if isinstance(now, torch.Size):
        return bool(now == then)
    if type(now) is tuple:
        return len(now) == len(then) and all(map(_same, now, then))
    return is_constant(now) and bool(operator.eq(now, then))
