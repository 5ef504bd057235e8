"""Counts how the values of a net spread, call by call, without keeping them."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from .hooks import Kinds, Monitor, watched_modules

__all__ = ["LayerHistogram", "ValueHistogram"]


@dataclass(frozen=True)
class LayerHistogram:
    """How the values of one module spread.

    Arguments:
        name: The module's name in the net.
        edges: The ends of the bins, float64, [bins + 1].
        counts: Values in each bin, int64, [bins]; the last bin holds its upper end, too.
        below: Values under the first edge.
        above: Values over the last edge.
        not_numbers: Values that are nan.
    """

    name: str
    edges: Tensor
    counts: Tensor
    below: int
    above: int
    not_numbers: int

    @property
    def total(self) -> int:
        """The number of values."""
        return int(self.counts.sum()) + self.below + self.above + self.not_numbers


class ValueHistogram(Monitor):
    """Counts the outputs of modules, or the values of an attribute, in bins.

    Counts are summed on the net's device, call by call: one integer a bin, however long it runs.

    Arguments:
        net: The net.
        bins: Number of bins, at least 1.
        low: Where the first begins.
        high: Where the last ends, greater than ``low``.
        attribute: Name of an attribute, such as ``v``, read after each call; by default the
            output is counted.
        instance: The class of the modules, or several in a tuple; the net's own by default.
    Raises:
        TypeError: ``net`` is not an nn.Module, or ``instance`` no class.
        ValueError: The net has no such module, or the bins are none.

    Example:
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode()
        >>> with ValueHistogram(node, bins=2, low=0.0, high=1.0, attribute="v") as histogram:
        ...     _ = node(torch.tensor([0.1, 0.2, 0.9, -0.5]))
        >>> histogram.layers()[0].counts, histogram.layers()[0].below
        (tensor([2, 1]), 1)
    """

    def __init__(
        self,
        net: nn.Module,
        bins: int = 50,
        low: float = -1.0,
        high: float = 2.0,
        attribute: str | None = None,
        instance: Kinds | None = None,
    ) -> None:
        super().__init__()
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
            raise ValueError(f"bins must be an int of at least 1, got {bins!r}")
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"low must be less than high, both finite, got {low} and {high}")
        self.bins, self.low, self.high, self.attribute = bins, low, high, attribute
        self._counts: dict[str, Tensor] = {}
        for name, module in watched_modules(net, instance).items():
            hook = self.hook(ValueHistogram._see, name)
            self._handles.append(module.register_forward_hook(hook))

    def layers(self) -> list[LayerHistogram]:
        """The counts so far of each module that has run, in the order of their first calls."""
        return [self._layer(name, counts.cpu()) for name, counts in self._counts.items()]

    def clear(self) -> None:
        """Forget what was counted and go on counting."""
        self._counts.clear()

    def _layer(self, name: str, counts: Tensor) -> LayerHistogram:
        edges = torch.linspace(self.low, self.high, self.bins + 1, dtype=torch.float64)
        below, above, not_numbers = (int(counts[i]) for i in (0, -2, -1))
        return LayerHistogram(name, edges, counts[1:-2], below, above, not_numbers)

    def _see(self, name: str, module: nn.Module, _: Any, output: Any) -> None:
        value = output if self.attribute is None else getattr(module, self.attribute)
        for x in tree_leaves(value):
            if isinstance(x, Tensor):
                counts = self._count(x.detach())
                total = self._counts.get(name)
                self._counts[name] = counts if total is None else total + counts

    def _count(self, x: Tensor) -> Tensor:
        """Below, each bin, above, nan."""
        x = x.flatten().double()
        place = ((x - self.low) * (self.bins / (self.high - self.low))).floor() + 1
        place = place.clamp(0, self.bins + 1)
        place = torch.where(x == self.high, float(self.bins), place)
        place = torch.where(x.isnan(), float(self.bins + 2), place)
        return torch.bincount(place.long(), minlength=self.bins + 3)
