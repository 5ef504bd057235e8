"""When output neurons fire, with a gradient that makes them fire earlier or later."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["first_spike_times", "spike_times"]


def first_spike_times(s_seq: Tensor) -> Tensor:
    r"""The step of the first spike of each neuron; the last step for one that stays silent.

    .. math::
        t_1 = \min(\{t : S[t] > 0\} \cup \{T - 1\}), \qquad
        \frac{\partial t_1}{\partial S[t]} := -[t = t_1]

    The gradient says that more potential at that step means an earlier spike.

    Arguments:
        s_seq: Spikes; anything but 0 is one.
    Shape:
        s_seq: [T, N, \*]; output: [N, \*], in the dtype of s_seq.
    Raises:
        ValueError: There are no steps.

    Example:
        >>> first_spike_times(torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
        tensor([1., 2., 0.])
    """
    return spike_times(s_seq, 1)[0]


def spike_times(s_seq: Tensor, count: int) -> Tensor:
    r"""The steps of the first ``count`` spikes of each neuron; T - 1 where there are fewer.

    The gradient is that of :func:`first_spike_times`, for each of them.

    Arguments:
        s_seq: Spikes; anything but 0 is one.
        count: How many spikes, at least 1.
    Shape:
        s_seq: [T, N, \*]; output: [count, N, \*], in the dtype of s_seq.
    Raises:
        ValueError: There are no steps, or ``count`` is not a positive int.

    Example:
        >>> spike_times(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), 2)
        tensor([[1., 2.],
                [2., 2.]])
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be an int of at least 1, got {count!r}")
    if s_seq.dim() == 0 or s_seq.shape[0] == 0:
        raise ValueError(f"spike times need steps, [T, N, *], got {list(s_seq.shape)}")
    times: Tensor = _SpikeTimes.apply(s_seq, count)
    return times


class _SpikeTimes(torch.autograd.Function):
    """Saves the times alone."""

    @staticmethod
    def forward(ctx: Any, s_seq: Tensor, count: int) -> Tensor:
        steps = s_seq.shape[0]
        fired = s_seq != 0
        number = fired.cumsum(0)
        # The n-th spike is where the count is n for the first time.
        nth = [_first(fired & (number == n), steps) for n in range(1, count + 1)]
        times = torch.stack(nth)
        ctx.save_for_backward(times)
        ctx.steps = steps
        return times.to(s_seq.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (times,) = ctx.saved_tensors
        zeros = grad.new_zeros((ctx.steps, *grad.shape[1:]))
        return zeros.scatter_add_(0, times, -grad), None


def _first(where: Tensor, steps: int) -> Tensor:
    found = where.to(torch.uint8).argmax(0)
    return torch.where(where.any(0), found, steps - 1)
