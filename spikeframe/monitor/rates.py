"""How often each neuron of a net fires, and its spikes."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import base
from .hooks import Monitor

__all__ = ["FiringRates", "LayerRates", "recorded_spikes", "spiking_nodes"]

# A neuron that fires less (or is silent less) often than once in a thousand steps carries
# next to nothing, and hardly any gradient finds a way through it.
RARELY = 0.001


@dataclass(frozen=True)
class LayerRates:
    """How often the neurons of one node fired.

    Arguments:
        name: The node's name in the net.
        rates: Share of the steps in which each neuron fired, 0 to 1, float64, [\\*].
        steps: Steps observed per neuron (T times N, over all calls).
    """

    name: str
    rates: Tensor
    steps: int

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return self.rates.numel()

    @property
    def mean(self) -> float:
        """The mean rate of all neurons, in spikes per step."""
        return self.rates.mean().item()

    @property
    def dead_fraction(self) -> float:
        """The share of neurons that fired in less than 0.1 % of the steps."""
        return self.dead / self.neurons

    @property
    def saturated_fraction(self) -> float:
        """The share of neurons that were silent in less than 0.1 % of the steps."""
        return self.saturated / self.neurons

    def histogram(self, bins: int = 10) -> Tensor:
        """The number of neurons in bins of equal width over the rates 0 to 1, int64, [bins]."""
        return torch.histc(self.rates, bins, 0.0, 1.0).long()

    @property
    def dead(self) -> int:
        """The number of neurons that fired in less than 0.1 % of the steps."""
        return int((self.rates < RARELY).sum())

    @property
    def saturated(self) -> int:
        """The number of neurons that were silent in less than 0.1 % of the steps."""
        return int((self.rates > 1 - RARELY).sum())


class FiringRates(Monitor):
    r"""Counts the spikes of every neuron while a net runs; nothing else is kept.

    Counts are summed on the net's device, without graph, call by call, so watching a whole test
    set takes one integer per neuron. As a context manager it lets go of the net at the end.

    Arguments:
        net: The net, or a single node; all of :func:`spiking_nodes` in it are watched.
    Raises:
        ValueError: The net has no such node; (while it runs) a node's neurons change in number.

    Example:
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode(step_mode="m")
        >>> with FiringRates(node) as rates:
        ...     _ = node(torch.tensor([[[0.5, 0.0, 1.0]]]).expand(4, 1, 3))
        >>> rates.layers()[0].rates
        tensor([0.5000, 0.0000, 1.0000], dtype=torch.float64)
        >>> rates.layers()[0].dead, rates.layers()[0].saturated
        (1, 1)
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        nodes = spiking_nodes(net)
        if not nodes:
            raise ValueError(
                f"{type(net).__name__} has no node that can fire: FiringRates watches modules "
                "with a state and a surrogate_function, such as neuron.LIFNode"
            )
        self._counts: dict[str, Tensor] = {}
        self._steps: dict[str, int] = dict.fromkeys(nodes, 0)
        for name, node in nodes.items():
            hook = self.hook(FiringRates._count, name)
            self._handles.append(node.register_forward_hook(hook))

    def layers(self) -> list[LayerRates]:
        """The rates so far of each node that has run, in the net's order."""
        return [
            LayerRates(name, self._counts[name].double() / steps, steps)
            for name, steps in self._steps.items()
            if steps
        ]

    def clear(self) -> None:
        """Forget what was counted and go on counting."""
        self._counts.clear()
        self._steps = dict.fromkeys(self._steps, 0)

    def remove(self) -> None:
        """Stop watching; what was counted stays."""
        self.remove_hooks()

    def _count(self, name: str, node: Any, _: Any, output: Any) -> None:
        # [T, N, *] or [N, *] as rows of samples.
        spikes = _spikes(output)
        samples = spikes.flatten(0, 1) if node.step_mode == "m" else spikes
        count = samples.count_nonzero(dim=0)
        total = self._counts.get(name)
        if total is not None and total.shape != count.shape:
            raise ValueError(
                f"FiringRates: {name} had neurons {list(total.shape)} and now has "
                f"{list(count.shape)}: call clear() before an input of another size"
            )
        self._counts[name] = count if total is None else total + count
        self._steps[name] += len(samples)


@contextlib.contextmanager
def recorded_spikes(net: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Keep the spikes of every node, without graph, one tensor per call, while the block runs.

    For a few inputs to look at: everything is kept. Rates of many are :class:`FiringRates`'s.

    Arguments:
        net: The net, or a single node; all of :func:`spiking_nodes` in it are recorded.

    Example:
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode(step_mode="m")
        >>> with recorded_spikes(node) as spikes:
        ...     _ = node(torch.full((4, 1, 1), 0.5))
        >>> spikes["IFNode"][0].flatten()
        tensor([0., 1., 0., 1.])
    """
    nodes = spiking_nodes(net)
    records: dict[str, list[Tensor]] = {name: [] for name in nodes}
    handles = [
        node.register_forward_hook(
            lambda _module, _, out, name=name: records[name].append(_spikes(out))
        )
        for name, node in nodes.items()
    ]
    try:
        yield records
    finally:
        for handle in handles:
            handle.remove()


def spiking_nodes(net: nn.Module) -> dict[str, nn.Module]:
    """The modules in ``net`` that fire, by name: a state, a surrogate and a finite threshold.

    A node with an infinite threshold is a readout, not a neuron that died. A node that is the
    net itself goes by its class's name.

    Example:
        >>> from spikeframe import neuron
        >>> net = nn.Sequential(nn.Linear(2, 2), neuron.IFNode(), neuron.IFNode(math.inf))
        >>> list(spiking_nodes(net))
        ['1']
    """
    return {
        name or type(module).__name__: module
        for name, module in net.named_modules()
        if isinstance(module, base.MemoryModule)
        and hasattr(module, "surrogate_function")
        and _can_fire(getattr(module, "v_threshold", 0.0))
    }


def _can_fire(threshold: Any) -> bool:
    if isinstance(threshold, Tensor):
        return not bool(torch.isinf(threshold).all())
    return not math.isinf(threshold)


def _spikes(output: Any) -> Tensor:
    """The spikes alone where a node returns its states with them."""
    spikes: Tensor = output[0] if isinstance(output, tuple) else output
    return spikes.detach()
