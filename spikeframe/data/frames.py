"""Events into tensors: frames that count them, voxel grids that weigh them by time."""

__all__ = ["to_frames", "to_voxels"]

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .counting import check_events, count
from .events import as_events, check_sensor
from .slices import check_positive, cut_by_duration, cut_by_number, cut_by_time

# Events whose weights are computed at a time: temporary arrays stay within a few megabytes.
CHUNK = 1 << 17


def to_frames(
    events: Any,
    sensor: Sequence[int],
    *,
    frames_number: int | None = None,
    split_by: str = "number",
    duration: int | None = None,
) -> Tensor:
    r"""Count the events of each slice per pixel and polarity.

    .. math::
        F[t, p, y, x] = |\{i : c_t \le i < c_{t+1}, (p_i, y_i, x_i) = (p, y, x)\}|

    Every event is counted once: the frames sum to the number of events. With ``split_by`` the
    cuts are SpikingJelly's. With ``duration`` they are its cuts too, but for an event at exactly
    a whole number of durations, which begins a frame of its own here.

    Arguments:
        events: What :func:`as_events` takes, [n], sorted by time.
        sensor: (C, H, W): polarities, height and width.
        frames_number: Number of frames T.
        split_by: ``'number'`` for equally many events in each frame, ``'time'`` for equal time.
        duration: Instead of ``frames_number``: microseconds per frame; T follows.
    Shape:
        output: [T, C, H, W], float32.
    Raises:
        TypeError: events are of another kind.
        ValueError: not exactly one of frames_number and duration is given, one is not positive,
            split_by is unknown, time goes back, or an event lies off the sensor.

    Example:
        >>> from spikeframe.data import make_events
        >>> events = make_events(t=[0, 10, 20, 90], x=[0, 1, 1, 0], p=[1, 1, 1, 0])
        >>> to_frames(events, (2, 1, 2), frames_number=2, split_by="time").flatten(1)
        tensor([[0., 0., 1., 2.],
                [1., 0., 0., 0.]])
    """
    events, shape = as_events(events), check_sensor(sensor)
    return count(events, _cut(events["t"], frames_number, split_by, duration), shape)


def to_voxels(events: Any, sensor: Sequence[int], bins: int) -> Tensor:
    r"""Share each event between the two nearest of B moments, brighter as +1, darker as -1.

    .. math::
        V[b, y, x] = \sum_i (2 p_i - 1) \max(0, 1 - |b - t^*_i|), \quad
        t^*_i = (B - 1) \frac{t_i - t_0}{t_{n-1} - t_0}

    over the events at (y, x). The weights of an event sum to 1, the last one's too. (tonic's
    grid takes B instead of B - 1 and loses what falls behind the last bin.)

    Arguments:
        events: What :func:`as_events` takes, [n], sorted by time.
        sensor: (C, H, W): polarities, height and width.
        bins: Number of moments B.
    Shape:
        output: [B, 1, H, W], float32.
    Raises:
        TypeError: events are of another kind.
        ValueError: bins is not positive, time goes back, or an event lies off the sensor.
    References:
        | Unsupervised Event-based Learning of Optical Flow, Depth, and Egomotion
          (Zhu et al., 2019)
        | https://arxiv.org/abs/1812.08156

    Example:
        >>> from spikeframe.data import make_events
        >>> events = make_events(t=[0, 30, 100], x=[0, 0, 0], p=[1, 1, 0])
        >>> to_voxels(events, (2, 1, 1), 3).flatten()
        tensor([ 1.4000,  0.6000, -1.0000])
    """
    check_positive("bins", bins)
    events, shape = as_events(events), check_sensor(sensor)
    check_events(events, shape)
    _, height, width = shape
    grid = np.zeros(bins * height * width)
    for start in range(0, len(events), CHUNK):
        part = events[start : start + CHUNK]
        moment = _moments(part["t"], events["t"], bins)
        first = moment.astype(np.int64)
        pixel = (first * height + part["y"]) * width + part["x"]
        sign = 2.0 * part["p"] - 1
        late = moment - first
        grid += np.bincount(pixel, sign * (1 - late), minlength=len(grid))
        inside = first + 1 < bins
        grid += np.bincount(
            pixel[inside] + height * width, (sign * late)[inside], minlength=len(grid)
        )
    return torch.from_numpy(grid).float().view(bins, 1, height, width)


def _cut(
    times: np.ndarray, frames_number: int | None, split_by: str, duration: int | None
) -> np.ndarray:
    if split_by not in ("number", "time"):
        raise ValueError(f"split_by must be 'number' or 'time', got {split_by!r}")
    if frames_number is not None and duration is None:
        if split_by == "time":
            return cut_by_time(times, frames_number)
        return cut_by_number(len(times), frames_number)
    if duration is not None and frames_number is None:
        return cut_by_duration(times, duration)
    raise ValueError(
        "exactly one of frames_number and duration must be given, got "
        f"frames_number={frames_number}, duration={duration}"
    )


def _moments(part: np.ndarray, times: np.ndarray, bins: int) -> np.ndarray:
    """Times in units of bins, from 0 to bins - 1."""
    start, span = int(times[0]), int(times[-1] - times[0])
    moments: np.ndarray = (part - start) * ((bins - 1) / max(span, 1))
    # The last moment shall not be passed by a rounding.
    return np.minimum(moments, bins - 1)
