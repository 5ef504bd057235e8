"""Keeps the spikes that layers save for their backward as bits."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.hooks import RemovableHandle

from ..base.spikes import are_spikes
from .bits import Bits
from .meter import tell

__all__ = [
    "hooks_at_work",
    "is_transparent",
    "keep",
    "pack_spikes",
    "packed_spikes",
    "packing",
    "restore",
    "told",
]

Hooks = tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]


class _Packing(threading.local):
    def __init__(self) -> None:
        self.on = False


_PACKING = _Packing()


def packing() -> bool:
    """Whether this thread is within :func:`packed_spikes`."""
    return _PACKING.on


@contextlib.contextmanager
def packed_spikes() -> Iterator[None]:
    """Within it, spikes saved for backward take one bit each.

    Convolutions, linear layers and attention save their input, which behind a neuron is zeros and
    ones: 1/32 of float32, nothing is lost. Neurons mark what they fire, so nothing is searched;
    what is computed from spikes (a sum, an average pool) is saved as it is. Only the forward pass
    needs to be inside.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> net = nn.Sequential(neuron.IFNode(step_mode="m"), nn.Linear(8, 2))
        >>> with packed_spikes():
        ...     loss = net(torch.rand(4, 3, 8, requires_grad=True)).sum()
        >>> loss.backward()
    """
    entering = _PACKING.on
    _PACKING.on = True
    try:
        with saved_tensors_hooks(keep, restore):
            yield
    finally:
        _PACKING.on = entering


def pack_spikes(net: nn.Module) -> list[RemovableHandle]:
    """Run every forward of ``net`` within :func:`packed_spikes`.

    Arguments:
        net: The net.

    Returns:
        Handles; ``remove()`` of both ends it.

    Example:
        >>> from spikeframe import neuron
        >>> handles = pack_spikes(nn.Sequential(neuron.IFNode(), nn.Linear(8, 2)))
        >>> for handle in handles:
        ...     handle.remove()
    """
    entered: list[Any] = []

    def enter(module: nn.Module, inputs: Any) -> None:
        hooks = packed_spikes()
        hooks.__enter__()
        entered.append(hooks)

    def leave(module: nn.Module, inputs: Any, outputs: Any) -> None:
        entered.pop().__exit__(None, None, None)

    return [
        net.register_forward_pre_hook(enter),
        net.register_forward_hook(leave, always_call=True),
    ]


def keep(x: Tensor) -> Tensor | Bits:
    """What is kept of a tensor that will be needed again: bits of spikes, else itself."""
    kept = Bits(x) if are_spikes(x) and Bits.fits(x) else x
    tell(kept)
    return kept


def restore(kept: Tensor | Bits) -> Tensor:
    """The tensor of which :func:`keep` kept this."""
    return kept.unpack() if isinstance(kept, Bits) else kept


def told(x: Tensor) -> Tensor:
    """The tensor, which the meter is told of."""
    tell(x)
    return x


def hooks_at_work() -> Hooks | None:
    """The hooks that what is saved now goes through, or None."""
    hooks: Hooks | None = torch._C._autograd._top_saved_tensors_default_hooks(False)
    return hooks


def is_transparent(hooks: Hooks | None) -> bool:
    """Whether hooks keep every tensor, in some form; a checkpoint's keep none."""
    return hooks is None or hooks[0] in (keep, told)
