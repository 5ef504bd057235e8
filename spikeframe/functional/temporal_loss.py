"""Losses of when output neurons fire."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .check_outputs import check_labels, reduced
from .spike_time import first_spike_times, spike_times

__all__ = ["spike_time_cross_entropy", "spike_time_mse", "spike_time_targets"]


def spike_time_targets(
    target: Tensor,
    classes: int,
    steps: int,
    on_target: Sequence[float] | float = 0,
    off_target: Sequence[float] | float = -1,
) -> Tensor:
    r"""When each output neuron is to fire, from the labels.

    Arguments:
        target: Class of each sample.
        classes: Number of classes C.
        steps: Number of steps T; negative times count from the end: -1 is T - 1.
        on_target: Step for the right class, or several, one for each spike.
        off_target: Likewise for the other classes.
    Shape:
        target: [N]; output: [N, C], or [F, N, C] for F spikes.
    Raises:
        ValueError: Different numbers of spikes are wanted.

    Example:
        >>> spike_time_targets(torch.tensor([1]), classes=3, steps=10)
        tensor([[9., 0., 9.]])
    """
    on, off = (
        torch.as_tensor(v, dtype=torch.get_default_dtype()) for v in (on_target, off_target)
    )
    if on.shape != off.shape:
        raise ValueError(
            "on_target and off_target must name as many spikes, got shapes "
            f"{list(on.shape)} and {list(off.shape)}"
        )
    hit = F.one_hot(target.long(), classes).bool()
    on, off = (v.to(target.device).reshape(*v.shape, 1, 1) for v in (on, off))
    times = torch.where(hit, on, off)
    return torch.where(times < 0, times + steps, times)


def spike_time_mse(
    s_seq: Tensor,
    times: Tensor,
    *,
    tolerance: float = 0.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    r"""Squared distance of the spike times from those that are wanted, in shares of T.

    .. math::
        L = \text{MSE}(t / T, \hat t / T)

    Arguments:
        s_seq: Output spikes.
        times: Wanted times of the first spikes, see :func:`spike_time_targets`.
        tolerance: A spike less than this many steps off costs nothing.
        weight: Weight of each sample, [N].
        reduction: 'mean', 'sum' or 'none'.
    Shape:
        s_seq: [T, N, C]; times: [N, C], or [F, N, C] for F spikes; output: a number, or as times.
    Raises:
        ValueError: The shapes do not fit, or the reduction is unknown.

    Example:
        >>> s_seq = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> spike_time_mse(s_seq, torch.tensor([[0.0, 0.0]]))
        tensor(0.1250)
    """
    several = times.dim() == s_seq.dim()
    actual = spike_times(s_seq, times.shape[0]) if several else first_spike_times(s_seq)
    sizes = zip(reversed(times.shape), reversed(actual.shape), strict=False)
    if times.dim() > actual.dim() or any(n not in (1, size) for n, size in sizes):
        raise ValueError(
            f"times must fit the outputs {list(actual.shape)}, got {list(times.shape)}"
        )
    off = (actual - times) / s_seq.shape[0]
    losses = off.square() * ((actual - times).abs() >= tolerance)
    return reduced(losses if weight is None else losses * weight.unsqueeze(-1), reduction)


def spike_time_cross_entropy(
    s_seq: Tensor,
    target: Tensor,
    inverse: str = "negate",
    *,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    r"""Cross entropy of the first spike times, turned round: the right class is to fire first.

    .. math::
        L = \text{CE}(-t_1, y) \quad\text{(negate)} \qquad
        L = \text{CE}\Bigl(\frac{1}{t_1 + 1}, y\Bigr) \quad\text{(reciprocal)}

    Arguments:
        s_seq: Output spikes.
        target: Class of each sample.
        inverse: 'negate' or 'reciprocal'.
        weight: Weight of each class, [C], as torch's cross entropy takes it: the mean is divided
            by the weights.
        reduction: 'mean', 'sum' or 'none' over the samples.
    Shape:
        s_seq: [T, N, C]; target: [N]; output: a number, or [N].
    Raises:
        TypeError: An argument is no tensor.
        ValueError: The shapes do not fit, or ``inverse`` or the reduction is unknown.

    Example:
        >>> s_seq = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> spike_time_cross_entropy(s_seq, torch.tensor([0]))
        tensor(0.3133)
    """
    if inverse not in ("negate", "reciprocal"):
        raise ValueError(f"inverse must be 'negate' or 'reciprocal', got {inverse!r}")
    check_labels("spike_time_cross_entropy", s_seq, target)
    times = first_spike_times(s_seq)
    scores = -times if inverse == "negate" else 1 / (times + 1)
    return F.cross_entropy(scores, target.long(), weight, reduction=reduction)
