"""Truncated backpropagation through time."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from .. import kernels
from .net import detach_net

__all__ = ["tbptt"]


def tbptt(net: nn.Module, x_seq: Tensor, steps: int) -> Iterator[Any]:
    r"""Run ``net`` over a long sequence in chunks, cutting the history after each.

    Yields the output of each chunk. Between two of them call ``backward`` and, if wanted, the
    optimiser: states carry over, their gradients do not, so the memory is that of ``steps`` steps.

    Arguments:
        net: The net, with step_mode 'm'; reset it before a new sequence.
        x_seq: The sequence, [T, N, \*].
        steps: Steps per chunk, at least 1; the last chunk may be shorter.
    Raises:
        ValueError: ``steps`` is not a positive int, or the input has no steps.
    References:
        | An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network
          Trajectories (Williams, Peng, 1990)
        | https://doi.org/10.1162/neco.1990.2.4.490

    Example:
        >>> import torch
        >>> from spikeframe import layer, neuron
        >>> net = nn.Sequential(nn.Linear(2, 3), neuron.LIFNode(step_mode="m"))
        >>> x_seq, targets = torch.rand(100, 4, 2), torch.rand(100, 4, 3)
        >>> for y_seq, target in zip(tbptt(net, x_seq, 10), targets.split(10), strict=True):
        ...     (y_seq - target).square().mean().backward()
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be an int of at least 1, got {steps!r}")
    kernels.check_sequences((x_seq,))
    return _chunks(net, x_seq, steps)


def _chunks(net: nn.Module, x_seq: Tensor, steps: int) -> Iterator[Any]:
    for chunk in x_seq.split(steps):
        yield net(chunk)
        detach_net(net)
