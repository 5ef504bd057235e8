"""Which methods a call like an earlier one need not go through again."""

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["are_skippable", "skippable", "skippable_names"]

Method = TypeVar("Method", bound=Callable[..., Any])

_METHODS: dict[str, set[Any]] = {}


def skippable(method: Method) -> Method:
    """Say of a method that to a call like an earlier one it does nothing that could be missed.

    A subclass's own method of that name may do anything, unless it is told so too.

    Arguments:
        method: A method that stands between a call of a traced module and its kernel.
    """
    _METHODS.setdefault(method.__name__, set()).add(method)
    return method


def skippable_names() -> tuple[str, ...]:
    """The names of these methods."""
    return tuple(_METHODS)


def are_skippable(module: Any) -> bool:
    """Whether all of these methods of a module are those of which that was said."""
    cls = type(module)
    known = all(getattr(cls, name) in methods for name, methods in _METHODS.items())
    return known and vars(module).keys().isdisjoint(_METHODS)
