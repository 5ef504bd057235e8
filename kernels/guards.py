"""What a trace took for granted, checked again at every call."""

import enum
import operator
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

__all__ = ["ABSENT", "Guards", "is_constant", "kind"]


class _Absent(enum.Enum):
    """Stands for what is not there."""

    ABSENT = "absent"


ABSENT = _Absent.ABSENT

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
        self._facts: list[tuple[Callable[[Any], Any], Any]] = []

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
        try:
            for path, facts in self._owners.items():
                if not facts.hold(_attribute(node, path) if path else node):
                    return False
            return self._modules_hold() and all(_same(f(node), v) for f, v in self._facts)
        except (AttributeError, RuntimeError, TypeError, ValueError, LookupError):
            return False

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
        return True


class _Owner:
    """The facts about one object, which are nearly always seen to hold within a microsecond."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.kinds: dict[str, Any] = {}
        self.of_class: dict[str, Any] = {}
        self.empty: dict[str, None] = {}
        self.absent: list[str] = []
        self._readers: tuple[Callable[[Any], tuple[Any, ...]], ...] = ()

    def hold(self, owner: Any) -> bool:
        """Whether they hold of an object."""
        if not self._readers:
            kinds = (self.values, self.kinds, self.of_class, self.empty)
            self._readers = tuple(map(_reader, kinds))
        values, kinds_of, of_class, empty = self._readers
        return (
            _all_same(values(owner), self.values.values())
            and _all_alike(kinds_of(owner), self.kinds.values())
            and self.of_class.keys().isdisjoint(owner.__dict__)
            and _all_same(of_class(type(owner)), self.of_class.values())
            and not any(empty(owner))
            and not any(hasattr(owner, name) for name in self.absent)
        )


def _reader(names: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads some attributes as a tuple."""
    names = tuple(names)
    if len(names) > 1:
        return operator.attrgetter(*names)
    read = operator.attrgetter(*names) if names else None
    return lambda owner: () if read is None else (read(owner),)


def _all_same(now: tuple[Any, ...], then: Iterable[Any]) -> bool:
    return all(map(operator.is_, now, then)) or all(map(_same, now, then))


def _all_alike(now: tuple[Any, ...], kinds: Iterable[Any]) -> bool:
    for value, expected in zip(now, kinds, strict=True):
        if type(value) is not expected and kind(value) != expected:
            return False
    return True


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
