"""Tells what each layer keeps for the backward pass."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves

from .. import base
from .meter import Meter, metered
from .norm_neuron import NormNeuron
from .packed import keep, packing, restore, told

__all__ = ["LayerMemory", "MemoryReport", "report"]


@dataclass(frozen=True)
class LayerMemory:
    """What one module keeps.

    Arguments:
        name: Its name in the net.
        kind: Its class.
        bytes: Bytes that it was the first to save for the backward, parameters left out.
        packed: Those of them that are bits of spikes.
        states: Bytes of its states.
    """

    name: str
    kind: str
    bytes: int
    packed: int
    states: int


@dataclass(frozen=True)
class MemoryReport:
    """What every module of a net keeps; printed, a table.

    Arguments:
        layers: The modules that keep something, in the net's order.
    """

    layers: tuple[LayerMemory, ...]

    @property
    def bytes(self) -> int:
        """Bytes saved for the backward, of all modules."""
        return sum(layer.bytes for layer in self.layers)

    @property
    def states(self) -> int:
        """Bytes of all states."""
        return sum(layer.states for layer in self.layers)

    def __str__(self) -> str:
        rows = [("module", "class", "saved", "as bits", "states")]
        rows += [
            (row.name, row.kind, _size(row.bytes), _size(row.packed), _size(row.states))
            for row in self.layers
        ]
        packed = sum(layer.packed for layer in self.layers)
        rows.append(("", "all", _size(self.bytes), _size(packed), _size(self.states)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for row in rows:
            cells = [
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


def report(net: nn.Module, *inputs: Any, **kwargs: Any) -> MemoryReport:
    """Run one forward of ``net`` as in training and count what is kept for the backward.

    A tensor that several layers save counts once, for the first of them; parameters, buffers and
    the inputs do not count. Run within :func:`packed_spikes`, or of a net with
    :func:`pack_spikes` or :func:`checkpoint` inside, it counts what those keep. States are put
    back afterwards; buffers (running statistics) are those after the forward.

    Arguments:
        net: The net.
        inputs: Its inputs; one of them should need a gradient, as it does inside a larger net.
        kwargs: Its keyword arguments.

    Example:
        >>> from spikeframe import neuron
        >>> net = nn.Sequential(nn.Linear(8, 4, bias=False), neuron.IFNode(step_mode="m"))
        >>> print(report(net, torch.rand(4, 2, 8)))
        module  class   saved  as bits  states
        0       Linear    0 B      0 B     0 B
        1       IFNode  128 B      0 B    32 B
                all     128 B      0 B    32 B
    """
    meter = Meter()
    given = [x for x in tree_leaves((inputs, kwargs)) if isinstance(x, Tensor)]
    for tensor in (*net.parameters(), *net.buffers(), *given):
        meter.leave_out(tensor)
    entering = base.extract_memories(net)
    handles = [handle for pair in _parts(net) for handle in _follow(meter, *pair)]
    try:
        hooks = (keep, restore) if packing() else (told, told)
        with torch.enable_grad(), metered(meter), saved_tensors_hooks(*hooks):
            outputs = net(*inputs, **kwargs)
        states = {name: _state_bytes(module) for name, module in _parts(net)}
        del outputs
    finally:
        for handle in handles:
            handle.remove()
        base.load_memories(net, entering)
    return MemoryReport(tuple(_rows(net, meter, states)))


def _follow(meter: Meter, name: str, module: nn.Module) -> list[Any]:
    """Tell the meter which module runs."""

    def leave(*_: Any) -> None:
        meter.running.pop()

    return [
        module.register_forward_pre_hook(lambda *_: meter.running.append(name)),
        module.register_forward_hook(leave, always_call=True),
    ]


def _rows(net: nn.Module, meter: Meter, states: dict[str, int]) -> list[LayerMemory]:
    return [
        LayerMemory(
            name,
            type(module).__name__,
            meter.bytes.get(name, 0),
            meter.packed.get(name, 0),
            states[name],
        )
        for name, module in _parts(net)
        if name in meter.bytes or states[name] or not any(module.children())
    ]


def _parts(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """All modules but those inside of one that a hook in there would change."""
    inside = {
        id(inner)
        for module in net.modules()
        if hasattr(module, "supported_backends") or isinstance(module, NormNeuron)
        for inner in module.modules()
        if inner is not module
    }
    return [(name, module) for name, module in net.named_modules() if id(module) not in inside]


def _state_bytes(module: nn.Module) -> int:
    if isinstance(module, NormNeuron):
        module = module.neuron
    if not isinstance(module, base.MemoryModule):
        return 0
    states = (state for state in tree_leaves(list(module.memories())) if isinstance(state, Tensor))
    return sum(state.nbytes for state in states)


def _size(n_bytes: int) -> str:
    """For people: 128 B, 3.1 KiB, 12.0 MiB."""
    if n_bytes < 1024:
        return f"{n_bytes} B"
    size, units = n_bytes / 1024, iter(("KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while size >= 1024 and unit != "TiB":
        size, unit = size / 1024, next(units)
    return f"{size:.1f} {unit}"
