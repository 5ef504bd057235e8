"""The times of spikes in snnTorch's latency code, and ramps up to spikes."""

import torch
from torch import Tensor

from ... import encoding

__all__ = ["latency", "latency_code", "latency_interpolate", "rate_interpolate"]


def latency(
    data: Tensor,
    num_steps: int | bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    interpolate: bool = False,
    bypass: bool = False,
    epsilon: float = 1e-7,
) -> Tensor:
    """One spike for each value, the earlier the larger: :func:`spikeframe.encoding.latency`.

    Arguments:
        data: Floats within [0, 1].
        num_steps: Number of steps; with ``bypass`` it may be left to the latest spike.
        threshold: What a value has to exceed to fire early, within (0, 1).
        tau: Time constant, in steps.
        first_spike_time: The step at which the code begins.
        on_target: What a spike is worth.
        off_target: The value where there is none.
        clip: Values below the threshold never fire.
        normalize: Stretch the code to the last step.
        linear: A linear code rather than a logarithmic one.
        interpolate: A ramp up to each spike.
        bypass: Drop spikes later than the last step, rather than raise.
        epsilon: How far above the threshold values up to it count.
    Raises:
        TypeError: The data are not floats.
        ValueError: They are outside of [0, 1], a spike is later than the last step, or another
            argument is outside of what is allowed.

    Example:
        >>> latency(torch.tensor([0.02, 0.5, 1.0]), num_steps=5, normalize=True, linear=True)
        tensor([[0., 0., 1.],
                [0., 0., 0.],
                [0., 1., 0.],
                [0., 0., 0.],
                [1., 0., 0.]])
    """
    if not num_steps and not bypass:
        raise ValueError(
            "num_steps must be given, the number of steps to encode, or bypass=True, which takes "
            "as many as the latest spike needs"
        )
    times, silent = latency_code(
        data, num_steps, threshold, tau, first_spike_time, normalize, linear, epsilon
    )
    times = times.round()
    fires = ~silent if clip else torch.ones_like(silent)
    latest = int(times.where(fires, 0.0).max()) if times.numel() else 0
    steps = int(num_steps) or latest + 1
    if latest > steps - 1 and not bypass:
        raise ValueError(
            f"num_steps={steps} ends at step {steps - 1}, but the latest spike is at {latest}: "
            "give more steps, a smaller tau, normalize=True, or bypass=True, which drops it"
        )
    if interpolate:
        ramps = latency_interpolate(times, steps, on_target, off_target)
        return ramps.where(fires, off_target).to(data.dtype)
    at = torch.arange(steps, device=data.device).reshape(-1, *[1] * data.dim())
    spikes = (at == times) & fires
    return torch.where(spikes, on_target, off_target).to(data.dtype)


def latency_code(
    data: Tensor,
    num_steps: int | bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
) -> tuple[Tensor, Tensor]:
    """The time of each value's spike, not rounded, and where it is below the threshold.

    Example:
        >>> latency_code(torch.tensor([0.02, 0.5, 1.0]), 5, normalize=True, linear=True)
        (tensor([3.9200, 2.0000, 0.0000]), tensor([False, False, False]))
    """
    if normalize and not num_steps:
        raise ValueError("num_steps must be given with normalize=True, which fills them")
    if first_spike_time < 0 or (num_steps and first_spike_time > num_steps - 1):
        raise ValueError(
            f"first_spike_time must be from 0 to num_steps - 1 = {int(num_steps) - 1}, got "
            f"{first_spike_time}"
        )
    times = encoding.latency_times(
        data,
        tau=tau,
        threshold=threshold,
        mode="linear" if linear else "log",
        first=first_spike_time,
        last=int(num_steps) - 1 if normalize else None,
        epsilon=epsilon,
    )
    return times, data < threshold


def rate_interpolate(
    spike_time: Tensor,
    num_steps: int,
    on_target: float = 1,
    off_target: float = 0,
    epsilon: float = 1e-7,
) -> Tensor:
    """A ramp from each spike of one neuron to the next: :func:`spikeframe.encoding.ramps`.

    ``epsilon`` is accepted and not needed.

    Example:
        >>> rate_interpolate(torch.tensor([0, 4]), num_steps=5)
        tensor([1.0000, 0.0000, 0.3333, 0.6667, 1.0000])
    """
    return encoding.ramps(spike_time, num_steps, high=on_target, low=off_target)


def latency_interpolate(
    spike_time: Tensor, num_steps: int, on_target: float = 1, off_target: float = 0
) -> Tensor:
    """A ramp from step 0 to the only spike of each neuron, and ``off_target`` after it.

    Of a neuron whose spike is later than ``num_steps`` there is no ramp.

    Example:
        >>> latency_interpolate(torch.tensor([0.0, 4.0]), num_steps=5)
        tensor([[1.0000, 0.0000],
                [0.0000, 0.2500],
                [0.0000, 0.5000],
                [0.0000, 0.7500],
                [0.0000, 1.0000]])
    """
    if on_target < off_target:
        raise ValueError(
            f"on_target must not be less than off_target, got {on_target} and {off_target}"
        )
    times = spike_time.round()
    times = times if times.is_floating_point() else times.to(torch.get_default_dtype())
    at = torch.arange(num_steps, device=times.device, dtype=times.dtype)
    at = at.reshape(-1, *[1] * times.dim())
    share = torch.where(times == 0, 1.0, at / times.clamp_min(1))
    rises = (at <= times) & (times <= num_steps)
    return torch.where(rises, off_target + (on_target - off_target) * share, off_target)
