"""Sums over a window of time, linear in the number of steps."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["window_sum"]

# Steps computed by one matrix product: fewer do not fill it, more add nothing but zeros to it.
BLOCK = 32


def window_sum(x_seq: Tensor, weight: Tensor, before: Sequence[Tensor] = ()) -> Tensor:
    r"""The sum of the last k steps with a weight each, at every step.

    .. math::
        H[t] = \sum_{i=0}^{k-1} W_i X[t - k + 1 + i]

    The sequence is cut into blocks of steps, each of which is a matrix product with the weights,
    shifted from row to row.

    Arguments:
        x_seq: [T, N, \*].
        weight: [k], the last for the step itself.
        before: Steps [N, \*] before the first, at most k - 1; zeros stand for what lacks.
    Returns:
        [T, N, \*].
    """
    T = x_seq.shape[0]
    k = min(weight.shape[0], T + len(before))  # no step sees more
    weight = weight[weight.shape[0] - k :]
    block = min(T, max(BLOCK, k))
    rows = -(-T // block) * block
    x = x_seq.reshape(T, -1)
    first = [step.reshape(1, -1) for step in before]
    lacking = k - 1 - len(first)
    x = F.pad(torch.cat([*first, x]) if first else x, (0, 0, lacking, rows - T))
    windows = x.unfold(0, block + k - 1, block).transpose(1, 2)  # [blocks, block + k - 1, M]
    h = torch.matmul(shifted_rows(weight, block), windows)
    return h.reshape(rows, -1)[:T].reshape(x_seq.shape)


def shifted_rows(weight: Tensor, rows: int) -> Tensor:
    """A matrix [rows, rows + k - 1] of a row of weights, one further to the right in each row."""
    period = weight.shape[0] + rows
    # Cut into rows shorter by one than its period, a repeated row moves by one from row to row.
    repeated = F.pad(weight, (0, rows)).expand(rows, period).reshape(-1)
    return repeated[: rows * (period - 1)].reshape(rows, period - 1)
