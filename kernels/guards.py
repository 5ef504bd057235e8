"""What a trace took for granted, checked again at every call."""

import enum
import operator
import types
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["ABSENT", "Guards", "is_constant", "kind"]


class _Absent(enum.Enum):
    """Stands for what is not there."""

    ABSENT = "absent"


ABSENT = _Absent.ABSENT

_PLAIN = (bool, int, float, complex, str, bytes, enum.Enum, torch.dtype, torch.device)


class Guards:
    """Facts about a node, its classes and the modules its lines are in.

    A fact holds no reference to the node, which would keep it alive.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._kinds: dict[str, Any] = {}
        self._absent: set[str] = set()
        self._classes: dict[str, dict[str, Any]] = {}
        self._chains: dict[tuple[type, str], Any] = {}
        self._names: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._facts: list[tuple[Callable[[Any], Any], Any]] = []

    def value(self, path: str, value: Any) -> None:
        """The attribute at a dotted path is this value."""
        self._values[path] = value

    def kind(self, path: str, value: Any) -> None:
        """The attribute at a dotted path is of this value's kind."""
        self._kinds[path] = kind(value)

    def absent(self, path: str) -> None:
        """There is no attribute at a dotted path."""
        self._absent.add(path)

    def of_class(self, path: str, name: str, found: Any) -> None:
        """The class of what is at a path (of the node for '') gives ``found`` for a name, and no
        attribute of the instance hides it."""
        self._classes.setdefault(path, {})[name] = found

    def in_class(self, owner: type, name: str) -> None:
        """A class itself, whatever its bases say, defines a name as it does now, or not."""
        self._chains[owner, name] = owner.__dict__.get(name, ABSENT)

    def in_namespace(self, namespace: dict[str, Any], name: str, value: Any) -> None:
        """A module's name is bound to this value."""
        self._names.setdefault(id(namespace), (namespace, {}))[1][name] = value

    def fact(self, read: Callable[[Any], Any], value: Any) -> None:
        """``read(node)`` is this value."""
        self._facts.append((read, value))

    def hold(self, node: Any) -> bool:
        """Whether everything still is as it was."""
        try:
            return (
                self._attributes_hold(node)
                and all(self._class_holds(node, *item) for item in self._classes.items())
                and self._names_hold()
                and all(_same(read(node), value) for read, value in self._facts)
            )
        except (AttributeError, RuntimeError, TypeError, ValueError, KeyError):
            return False

    def _attributes_hold(self, node: Any) -> bool:
        for path, value in self._values.items():
            if not _same(_attribute(node, path), value):
                return False
        for path, expected in self._kinds.items():
            if kind(_attribute(node, path)) != expected:
                return False
        return all(_attribute(node, path, ABSENT) is ABSENT for path in self._absent)

    def _class_holds(self, node: Any, path: str, names: dict[str, Any]) -> bool:
        owner = _attribute(node, path) if path else node
        cls = type(owner)
        if not names.keys().isdisjoint(owner.__dict__):
            return False
        return all(_same(getattr(cls, name, ABSENT), found) for name, found in names.items())

    def _names_hold(self) -> bool:
        for namespace, names in self._names.values():
            for name, value in names.items():
                now = namespace.get(name, ABSENT)
                if now is not value and not _same(now, value):
                    return False
        return all(
            owner.__dict__.get(name, ABSENT) is found
            for (owner, name), found in self._chains.items()
        )


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


def _attribute(node: Any, path: str, *default: Any) -> Any:
    if "." not in path:
        return getattr(node, path, *default)
    for name in path.split(".")[:-1]:
        node = getattr(node, name)
    return getattr(node, path.rpartition(".")[2], *default)


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
