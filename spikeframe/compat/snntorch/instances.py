"""The registry of living neurons, which keeps none of them alive."""

import weakref
from collections.abc import Iterator
from typing import Any

__all__ = ["Instances"]


class Instances:
    """A list of neurons that forgets those that nothing else holds.

    snnTorch's list holds them, and with them every net that was ever built.

    Example:
        >>> instances = Instances()
        >>> from torch import nn
        >>> module = nn.Identity()
        >>> instances.append(module)
        >>> len(instances), instances[0] is module
        (1, True)
        >>> del module
        >>> len(instances)
        0
    """

    def __init__(self) -> None:
        self._references: list[weakref.ref[Any]] = []

    def append(self, neuron: Any) -> None:
        """Add a neuron."""
        self._references = [r for r in self._references if r() is not None]
        self._references.append(weakref.ref(neuron))

    def clear(self) -> None:
        """Forget all."""
        self._references.clear()

    def __iter__(self) -> Iterator[Any]:
        return iter([n for n in (r() for r in self._references) if n is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int) -> Any:
        return list(self)[index]

    def __contains__(self, neuron: object) -> bool:
        return any(n is neuron for n in self)

    def __repr__(self) -> str:
        return repr(list(self))
