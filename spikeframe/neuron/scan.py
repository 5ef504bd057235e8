r"""Leaky sums in parallel over time.

.. math::
    v[t] = a\, v[t-1] + x[t]

Within chunks of a few steps the sums are built by doubling, whose number of passes is the same for
every T; the chunks' ends form a sequence of their own, which is summed likewise, with
:math:`a^{32}`. So the work is linear in T, and no step waits for the one before it. The ends are
summed in double precision, since the rounding of a power would add up over T.
"""

from typing import Any

import torch
from torch import Tensor

from .parameter import Scalar

__all__ = ["exponential_scan"]

# Five passes within a chunk. 16 to 64 are equally fast on a CPU at T = 4096.
CHUNK = 32


def exponential_scan(x_seq: Tensor, decay: Scalar, start: Scalar = 0.0) -> Tensor:
    r"""The leaky sums of a sequence, at every step, in work linear in T.

    .. math::
        v[t] = a\, v[t-1] + x[t],\quad v[-1] = \text{start}

    It adds in another order than a loop over time does, so the last bits may differ.

    Arguments:
        x_seq: The sequence :math:`x`, [T, N, \*], of a floating-point dtype.
        decay: Decay :math:`a` per step, which broadcasts to [N, \*]; differentiable, as is start.
        start: The value before the first step, which broadcasts to [N, \*].
    Returns:
        :math:`v`, [T, N, \*].
    Raises:
        TypeError: The sequence is none, or not of floating-point values.
    References:
        | Prefix Sums and Their Applications (Blelloch, 1990)
        | https://www.cs.cmu.edu/~guyb/papers/Ble93.pdf

    Example:
        >>> exponential_scan(torch.tensor([1.0, 0.0, 1.0]), 0.5, start=2.0)
        tensor([2.0000, 1.0000, 1.5000])
    """
    if not (isinstance(x_seq, Tensor) and x_seq.is_floating_point() and x_seq.dim() > 0):
        given = f"{x_seq.dtype} {list(x_seq.shape)}" if isinstance(x_seq, Tensor) else f"{x_seq!r}"
        raise TypeError(
            f"x_seq must be a sequence [T, N, *] of floating-point values, got {given}"
        )
    a, first = (
        torch.as_tensor(value, dtype=x_seq.dtype, device=x_seq.device).expand(x_seq.shape[1:])
        for value in (decay, start)
    )
    sums: Tensor = _Scan.apply(x_seq, a, first)
    return sums


class _Scan(torch.autograd.Function):
    """The gradient of a leaky sum is a leaky sum, backwards; that of the decay needs both."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x_seq: Tensor, a: Tensor, start: Tensor) -> Tensor:
        first = x_seq[:1] + a * start
        return _sums(torch.cat([first, x_seq[1:]]), a)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:], output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        a, start, v_seq = ctx.saved_tensors
        x_grad = _Scan.apply(grad.flip(0), a, torch.zeros_like(start)).flip(0)
        before = torch.cat([start.unsqueeze(0), v_seq[:-1]])
        a_grad = (x_grad * before).sum(0) if ctx.needs_input_grad[1] else None
        return x_grad, a_grad, a * x_grad[0]


def _sums(x_seq: Tensor, a: Tensor) -> Tensor:
    """The sums from 0."""
    steps = x_seq.shape[0]
    if steps <= CHUNK:
        return _doubled(x_seq.unsqueeze(0), a).squeeze(0)
    missing = -steps % CHUNK
    padded = torch.cat([x_seq, x_seq.new_zeros(missing, *x_seq.shape[1:])])
    chunks = _doubled(padded.unflatten(0, (-1, CHUNK)), a)
    exact = a.double()
    ends = _sums(chunks[:-1, -1].double(), exact**CHUNK).to(x_seq.dtype)
    powers = torch.stack([exact**n for n in range(1, CHUNK + 1)]).to(x_seq.dtype)
    carried = torch.cat([chunks[:1], chunks[1:] + powers * ends.unsqueeze(1)])
    return carried.flatten(0, 1)[:steps]


def _doubled(chunks: Tensor, a: Tensor) -> Tensor:
    """The sums within each chunk, [K, L, N, \\*]: of 1, 2, 4, ... steps."""
    reach = 1
    while reach < chunks.shape[1]:
        reached = chunks[:, reach:] + a**reach * chunks[:, :-reach]
        chunks = torch.cat([chunks[:, :reach], reached], 1)
        reach *= 2
    return chunks
