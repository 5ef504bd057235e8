"""What every monitor is: hooks on the modules of a net, on and off, and gone with the monitor."""

import weakref
from collections.abc import Callable
from typing import Any, Self

from torch import nn

__all__ = ["Kinds", "Monitor", "watched_modules"]

Kinds = type[nn.Module] | tuple[type[nn.Module], ...]


class Monitor:
    """Base of monitors. It lets go of the net when it is closed, left as a context, or deleted."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self._enabled = True

    def enable(self) -> None:
        """Watch again."""
        self._enabled = True

    def disable(self) -> None:
        """Watch nothing until :meth:`enable`."""
        self._enabled = False

    def is_enable(self) -> bool:
        """Whether it watches."""
        return self._enabled

    def remove_hooks(self) -> None:
        """Let go of the net for good; what was gathered stays."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def close(self) -> None:
        """As :meth:`remove_hooks`."""
        self.remove_hooks()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def hook(self, see: Callable[..., None], *fixed: Any) -> Callable[..., None]:
        """A hook that calls ``see(self, *fixed, ...)`` while the monitor lives and watches."""
        # A reference would keep the monitor alive as long as the net.
        reference = weakref.ref(self)

        def seen(*args: Any) -> None:
            monitor = reference()
            if monitor is not None and monitor.is_enable():
                see(monitor, *fixed, *args)

        return seen


def watched_modules(net: nn.Module, instance: Kinds | None) -> dict[str, nn.Module]:
    """The modules of a class in ``net`` by name; by default those of the net's own class.

    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` no class.
        ValueError: There is none.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
    kinds = type(net) if instance is None else instance
    listed = kinds if isinstance(kinds, tuple) else (kinds,)
    if not all(isinstance(kind, type) for kind in listed):
        raise TypeError(f"instance must be a class or a tuple of classes, got {instance!r}")
    found = {name: module for name, module in net.named_modules() if isinstance(module, listed)}
    if not found:
        named = " or ".join(kind.__name__ for kind in listed)
        raise ValueError(f"{type(net).__name__} has no module of class {named} to watch")
    return found
