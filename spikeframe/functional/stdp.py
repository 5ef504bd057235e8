"""Spike-timing-dependent plasticity: how much a synapse's weights change in a step."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv1d_weight, conv2d_weight

__all__ = ["stdp_step"]

Function = Callable[[Tensor], Tensor]

_WEIGHT_GRADIENT: dict[int, Callable[..., Tensor]] = {1: conv1d_weight, 2: conv2d_weight}


def _same(weight: Tensor) -> Tensor:
    return weight


def stdp_step(
    synapse: nn.Linear | nn.Conv1d | nn.Conv2d,
    before: Tensor,
    after: Tensor,
    trace_before: Tensor | None = None,
    trace_after: Tensor | None = None,
    *,
    tau_pre: float,
    tau_post: float,
    f_pre: Function = _same,
    f_post: Function = _same,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The traces after a step, and what the step changes in the weights.

    .. math::
        A[t] &= A[t-1] - A[t-1] / \tau_{pre} + X[t],\quad
        B[t] = B[t-1] - B[t-1] / \tau_{post} + Y[t] \\
        \Delta W &= f_{post}(W) \sum A[t]\, Y[t] - f_{pre}(W) \sum B[t]\, X[t]

    The sums are over samples and, of a convolution, over the places that share a weight. There
    is no gradient.

    Arguments:
        synapse: The layer, whose weights are read only.
        before: Spikes :math:`X` into it, of one step.
        after: Spikes :math:`Y` of the neurons behind it.
        trace_before: :math:`A` before the step; None for the first.
        trace_after: :math:`B` before the step; likewise.
        tau_pre: Time constant of A, in steps, greater than 0.
        tau_post: Time constant of B, likewise.
        f_pre: How much a weight is weakened, as a function of it.
        f_post: How much it is strengthened.
    Returns:
        A, B and :math:`\Delta W`.
    Raises:
        TypeError: The layer is of another kind.
        ValueError: A time constant is not greater than 0.
    References:
        | Unsupervised learning of digit recognition using spike-timing-dependent plasticity
          (Diehl, Cook, 2015)
        | https://doi.org/10.3389/fncom.2015.00099

    Example:
        >>> import torch
        >>> synapse = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.ones_(synapse.weight)
        >>> x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0]])
        >>> a, b, change = stdp_step(synapse, x, torch.zeros(1, 1), tau_pre=2.0, tau_post=2.0)
        >>> stdp_step(synapse, 0 * x, y, a, b, tau_pre=2.0, tau_post=2.0)[2]
        tensor([[0.5000, 0.0000]])
    """
    if not (tau_pre > 0 and tau_post > 0):
        raise ValueError(
            f"tau_pre and tau_post must be greater than 0 (in steps), got {tau_pre} and {tau_post}"
        )
    before, after = before.detach(), after.detach()
    a = before if trace_before is None else trace_before - trace_before / tau_pre + before
    b = after if trace_after is None else trace_after - trace_after / tau_post + after
    weight = synapse.weight.detach()
    strengthened = f_post(weight) * _meetings(synapse, a, after)
    return a, b, strengthened - f_pre(weight) * _meetings(synapse, before, b)


def _meetings(synapse: Any, before: Tensor, after: Tensor) -> Tensor:
    """The products of what is on the two sides of each weight, summed."""
    if isinstance(synapse, nn.Linear):
        return after.reshape(-1, after.shape[-1]).T @ before.reshape(-1, before.shape[-1])
    if not isinstance(synapse, nn.Conv1d | nn.Conv2d):
        raise TypeError(
            f"stdp_step takes nn.Linear, nn.Conv1d or nn.Conv2d, got {type(synapse).__name__}"
        )
    # What is summed is what the backward of the convolution sums for its weights.
    dims = len(synapse.kernel_size)
    padded = _pad(synapse, before)
    return _WEIGHT_GRADIENT[dims](
        padded,
        synapse.weight.shape,
        after,
        stride=synapse.stride,
        dilation=synapse.dilation,
        groups=synapse.groups,
    )


def _pad(synapse: Any, x: Tensor) -> Tensor:
    if isinstance(synapse.padding, str):
        raise TypeError(
            f"stdp_step takes a padding in numbers, got {synapse.padding!r}: write the number"
        )
    sides = [p for p in reversed(synapse.padding) for _ in range(2)]
    mode = "constant" if synapse.padding_mode == "zeros" else synapse.padding_mode
    return F.pad(x, sides, mode=mode)
