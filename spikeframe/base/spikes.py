"""Marks tensors that hold zeros and ones only, so that whoever keeps one may keep bits."""

import torch
from torch import Tensor

__all__ = ["MARK", "are_spikes", "mark_spikes"]

# The tensor's version at the mark: an operation in place that follows makes it another one.
MARK = "_spikes_of_version"


def mark_spikes(spikes: Tensor) -> Tensor:
    """Mark a tensor of zeros and ones, and return it; views of it count as marked."""
    if torch.compiler.is_compiling() or spikes.is_inference():
        return spikes
    setattr(spikes, MARK, spikes._version)
    base = spikes._base
    # A view of a view is a view of the first tensor, which then holds the same values.
    if base is not None and base.numel() == spikes.numel():
        setattr(base, MARK, base._version)
    return spikes


def are_spikes(x: Tensor) -> bool:
    """Whether a tensor, or what it is a view of, was marked and has not been changed since."""
    for tensor in (x, x._base):
        mark = getattr(tensor, MARK, None)
        # A tensor of inference has no version, and never a mark.
        if tensor is not None and mark is not None and mark == tensor._version:
            return True
    return False
