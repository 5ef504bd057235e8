"""snnTorch's encoders of data into spikes, time first; those of labels are in ``targets``."""

import torch
from torch import Tensor

from ... import encoding
from ...encoding.check import check_floating, check_within
from .targets import (
    from_one_hot,
    target_rate_code,
    targets_convert,
    targets_latency,
    targets_rate,
    to_one_hot,
    to_one_hot_inverse,
)
from .timing import latency, latency_code, latency_interpolate, rate_interpolate

__all__ = [
    "delta",
    "from_one_hot",
    "latency",
    "latency_code",
    "latency_interpolate",
    "rate",
    "rate_conv",
    "rate_interpolate",
    "target_rate_code",
    "targets_convert",
    "targets_latency",
    "targets_rate",
    "to_one_hot",
    "to_one_hot_inverse",
]


def rate(
    data: Tensor,
    num_steps: int | bool = False,
    gain: float = 1,
    offset: float = 0,
    first_spike_time: int = 0,
    time_var_input: bool = False,
) -> Tensor:
    """Random spikes whose probability is the data, times gain plus offset.

    Arguments:
        data: Floats within [0, 1]: [N, ...], or [T, N, ...] with ``time_var_input``.
        num_steps: Number of steps; of data that change it is their own.
        gain: Factor of the data.
        offset: Added to that.
        first_spike_time: No spike comes before this step. Data that change are put off by it.
        time_var_input: The data change with time.
    Raises:
        TypeError: The data are not floats.
        ValueError: They are outside of [0, 1], or the other arguments are, or do not go together.

    Example:
        >>> rate(torch.tensor([0.0, 1.0]), num_steps=3, first_spike_time=1)
        tensor([[0., 0.],
                [0., 1.],
                [0., 1.]])
    """
    _check_times(num_steps, first_spike_time, time_var_input)
    check_floating("rate", data)
    check_within("rate", data, 1.0, "[0, 1] as data", "rescale them, or let rate_conv clip")
    if time_var_input:
        spikes = encoding.rate(data, 1, gain=gain, offset=offset)[0]
        late = spikes.new_zeros(first_spike_time, *spikes.shape[1:])
        return torch.cat([late, spikes])
    spikes = encoding.rate(data, int(num_steps), gain=gain, offset=offset)
    spikes[:first_spike_time] = 0
    return spikes


def rate_conv(data: Tensor) -> Tensor:
    """Random spikes of the probabilities given; those outside of [0, 1] are clipped.

    Example:
        >>> rate_conv(torch.tensor([0.0, 1.0, 7.0]))
        tensor([0., 1., 1.])
    """
    return encoding.rate(data, 1)[0]


def delta(
    data: Tensor, threshold: float = 0.1, padding: bool = False, off_spike: bool = False
) -> Tensor:
    """A spike where the data rise by the threshold: :func:`spikeframe.encoding.delta`.

    Example:
        >>> delta(torch.tensor([0, 5, 5, 9, 0]), threshold=4)
        tensor([0, 1, 0, 1, 0])
    """
    return encoding.delta(data, threshold, padding=padding, off_spike=off_spike)


def _check_times(num_steps: int | bool, first_spike_time: int, time_var_input: bool) -> None:
    if num_steps < 0 or first_spike_time < 0:
        raise ValueError(
            "num_steps and first_spike_time must not be negative, got "
            f"num_steps={num_steps} and first_spike_time={first_spike_time}"
        )
    if time_var_input and num_steps:
        raise ValueError(
            "num_steps is the data's own number of steps with time_var_input=True: leave it out"
        )
    if not time_var_input and not num_steps:
        raise ValueError(
            "num_steps must be given, the number of steps to encode, unless the data change with "
            "time (time_var_input=True)"
        )
    if num_steps and first_spike_time > num_steps - 1:
        raise ValueError(
            f"first_spike_time must be at most num_steps - 1 = {num_steps - 1}, got "
            f"{first_spike_time}"
        )
