"""Latency coding: one spike per value, the earlier the larger the value is."""

import torch
from torch import Tensor

from .check import (
    check_flag,
    check_floating,
    check_number,
    check_steps,
    check_within,
    in_precision,
)
from .encoder import StatefulEncoder

__all__ = ["LatencyEncoder", "latency", "latency_times"]

# What is at or below the threshold would charge for ever; it counts as this much above it.
ABOVE_THRESHOLD = 1e-7

REMEDY = "rescale the input, for example with (x - x.min()) / (x.max() - x.min())"


def latency(
    x: Tensor,
    T: int,
    *,
    tau: float = 1.0,
    threshold: float = 0.01,
    mode: str = "log",
    clip: bool = False,
    normalize: bool = False,
) -> Tensor:
    r"""Encode each value by the time of its only spike: how long it charges a leaky membrane.

    .. math::
        t(x) &= \tau \ln \frac{x}{x - \theta} \quad\text{(log)} \\
        t(x) &= \tau (1 - x) \quad\text{(linear)}

    The spike is at step round(t), ties to even. Values up to the threshold :math:`\theta` fire
    last: at :math:`x = \theta + 10^{-7}` (log) or :math:`x = \theta` (linear). A spike that would
    be later than step T - 1 raises; none is moved or lost. Gradients do not flow through it. The
    checks of the range and of the last step wait for the device.

    Arguments:
        x: Floats within [0, 1].
        T: Number of time steps.
        tau: Time constant, in time steps.
        threshold: What x has to exceed to fire early, within (0, 1).
        mode: 'log' or 'linear'.
        clip: Values below the threshold never fire.
        normalize: Stretch the code over T steps. With 'linear', tau is T - 1. With 'log', all
            times are multiplied such that the latest in x (clipped or not) is T - 1: the code of
            a sample then depends on what it is batched with.
    Shape:
        x: [N, \*] of any rank; output: [T, N, \*], in the dtype of x.
    Raises:
        TypeError: x is not a tensor of floats, or another argument is of another type.
        ValueError: x is outside of [0, 1] or nan, a spike is later than the last step, or another
            argument is outside of what is allowed.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
        | (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> x = torch.tensor([0.0, 0.0101, 0.02, 1.0])
        >>> latency(x, 100, tau=5.0).argmax(0)
        tensor([58, 23,  3,  0])
        >>> latency(x, 100, tau=5.0, clip=True).sum(0)
        tensor([0., 1., 1., 1.])
    """
    check_steps("T", T)
    last = T - 1 if check_flag("normalize", normalize) else None
    times = latency_times(x, tau=tau, threshold=threshold, mode=mode, last=last)
    fires = in_precision(x) >= threshold if check_flag("clip", clip) else torch.ones_like(x).bool()
    times = times.round().where(fires, 0.0)
    _check_latest(times, T, T - 1.0 if normalize and mode == "linear" else tau)
    return _one_spike_each(times, T, fires.to(x.dtype))


def latency_times(
    x: Tensor,
    *,
    tau: float = 1.0,
    threshold: float = 0.01,
    mode: str = "log",
    first: float = 0.0,
    last: float | None = None,
    epsilon: float = ABOVE_THRESHOLD,
) -> Tensor:
    r"""When each value fires by :func:`latency`, in steps, not rounded.

    Arguments:
        x: Floats within [0, 1].
        tau: Time constant, in time steps.
        threshold: What x has to exceed to fire early, within (0, 1).
        mode: 'log' or 'linear'.
        first: The step at which the code begins.
        last: The step to which the code is stretched, see ``normalize`` there; None for none.
        epsilon: How far above the threshold the values up to it count ('log').
    Shape:
        x, output: [N, \*] of any rank; at least float32.
    Raises:
        TypeError: x is not a tensor of floats, or another argument is of another type.
        ValueError: x is outside of [0, 1] or nan, or another argument is outside of what is
            allowed.

    Example:
        >>> latency_times(torch.tensor([0.0, 0.5, 1.0]), mode="linear", first=2, last=4)
        tensor([3.9800, 3.0000, 2.0000])
    """
    tau = check_number("tau", tau, above=0.0)
    threshold = check_number("threshold", threshold, above=0.0, below=1.0)
    first = check_number("first", first, above=-1.0)
    _check_mode("mode", mode)
    check_floating("latency", x)
    check_within("latency", x, 1.0, "[0, 1]", REMEDY)
    values = in_precision(x)
    if mode == "linear":
        tau = tau if last is None else last - first
        return (tau * (1.0 - values)).clamp_max(tau * (1.0 - threshold)) + first
    values = values.clamp_min(threshold + check_number("epsilon", epsilon, above=0.0))
    times = tau * torch.log(values / (values - threshold))
    if last is not None and times.numel() > 0:
        times = times * (last - first) / times.max().clamp_min(torch.finfo(times.dtype).tiny)
    return times + first


class LatencyEncoder(StatefulEncoder):
    r"""Encode each value by the time of its only spike, within T steps for every value.

    .. math::
        t(x) &= (T - 1)(1 - x) \quad\text{(linear)} \\
        t(x) &= (T - 1) - \ln(\alpha x + 1), \quad \alpha = e^{T - 1} - 1 \quad\text{(log)}

    The spike is at step round(t), ties to even: 1 fires at step 0 and 0 at step T - 1. The second
    form is computed such that it does not overflow, for any T. The check of the range waits for
    the device.

    Arguments:
        T: Number of time steps; the latest spike is at T - 1.
        enc_function: 'linear' or 'log'.
        step_mode: 's' for one step per call, 'm' for a sequence that repeats the input.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'; floats.
    State:
        spike, t, encoded: those of :class:`StatefulEncoder`.
    Raises:
        TypeError: The input is not a tensor of floats.
        ValueError: T or enc_function is outside of what is allowed, a value is outside of [0, 1]
            or nan, or the input changes before a reset.

    Example:
        >>> encoder = LatencyEncoder(T=3)
        >>> x = torch.tensor([1.0, 0.5, 0.0])
        >>> torch.stack([encoder(x) for _ in range(3)])
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
    """

    def __init__(self, T: int, enc_function: str = "linear", step_mode: str = "s") -> None:
        super().__init__(T, step_mode)
        self.enc_function = _check_mode("enc_function", enc_function)

    def single_step_encode(self, x: Tensor) -> Tensor:
        """The spikes of all T steps."""
        check_floating("LatencyEncoder", x)
        check_within("LatencyEncoder", x, 1.0, "[0, 1]", REMEDY)
        values, last = in_precision(x), self.T - 1.0
        if self.enc_function == "linear":
            times = last * (1.0 - values)
        else:
            # ln(alpha x + 1) = last + ln(x + (1 - x) e^-last), in which nothing overflows.
            times = -torch.logaddexp(values.log(), torch.log1p(-values) - last)
        return _one_spike_each(times.round().clamp(0.0, last), self.T, torch.ones_like(x))

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"enc_function={self.enc_function!r}, {super().extra_repr()}"


def _check_mode(name: str, mode: str) -> str:
    if mode not in ("linear", "log"):
        raise ValueError(f"{name} must be 'linear' or 'log', got {mode!r}")
    return mode


def _check_latest(times: Tensor, T: int, tau: float) -> None:
    latest = times.max().item() if times.numel() > 0 else 0.0
    if latest > T - 1:
        raise ValueError(
            f"latency: the latest spike is at step {latest:.0f}, but T={T} ends at step {T - 1}: "
            f"use T={latest + 1:.0f} or more, a tau below {tau:g}, normalize=True, or clip=True "
            "if only values below the threshold are that late"
        )


def _one_spike_each(times: Tensor, T: int, value: Tensor) -> Tensor:
    """[T, \\*] of zeros but for ``value`` at the step ``times`` of each element."""
    spikes = torch.zeros((T, *times.shape), dtype=value.dtype, device=value.device)
    return spikes.scatter_(0, times.long().unsqueeze(0), value.detach().unsqueeze(0))
