"""Ramps: targets for a membrane that rise from one spike to the next."""

import torch
from torch import Tensor

from .check import check_steps

__all__ = ["ramps"]


def ramps(times: Tensor, T: int, *, high: float = 1.0, low: float = 0.0) -> Tensor:
    r"""A course that rises linearly to each spike of a neuron, falls, and rises again.

    After a spike at step p it is at ``low`` at step p + 1 and at ``high`` at the next spike; after
    the last one it stays at ``low``.

    Arguments:
        times: The steps of the spikes, in any order; those outside of 0 to T - 1 are ignored.
        T: Number of time steps.
        high: The value at a spike.
        low: The value after one.
    Shape:
        times: [K]; output: [T].
    Raises:
        ValueError: T is not a positive int.

    Example:
        >>> ramps(torch.tensor([0, 4]), 6)
        tensor([1.0000, 0.0000, 0.3333, 0.6667, 1.0000, 0.0000])
    """
    check_steps("T", T)
    steps = torch.arange(T, device=times.device)
    spikes = times.long().unique()
    spikes = spikes[(spikes >= 0) & (spikes < T)]
    padded = torch.cat([spikes.new_full((1,), -1), spikes, spikes.new_full((1,), T)])
    place = torch.searchsorted(padded, steps)
    upto, since = padded[place], padded[place - 1] + 1
    share = (steps - since) / (upto - since).clamp_min(1)
    share = torch.where(steps == upto, 1.0, share).where(upto < T, 0.0)
    return low + (high - low) * share.to(torch.get_default_dtype())
