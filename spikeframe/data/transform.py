"""Changes of a recording: fewer pixels, one polarity, mirrored, shifted, jittered, thinned out.

Each takes events of :data:`EVENT_DTYPE` and returns new ones; the random ones draw from the
generator they are given and from nothing else.
"""

__all__ = [
    "crop",
    "downsample",
    "drop_events",
    "flip_polarity",
    "flip_x",
    "flip_y",
    "jitter_space",
    "jitter_time",
    "merge_polarities",
    "random_temporal_delete",
    "shift",
]

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .events import check_sensor
from .slices import check_positive


def downsample(events: np.ndarray, factor: int) -> np.ndarray:
    """Join squares of pixels to one: a sensor (C, H, W) becomes (C, ceil(H / f), ceil(W / f)).

    Every event is kept: frames of the result are the frames before, summed over the squares.

    Arguments:
        events: [n].
        factor: Side f of a square, in pixels.

    Raises:
        ValueError: the factor is not at least 1.

    Example:
        >>> from spikeframe.data import make_events
        >>> downsample(make_events(t=[0, 1], x=[2, 5], y=[3, 0]), 2)[["x", "y"]].tolist()
        [(1, 1), (2, 0)]
    """
    check_positive("factor", factor)
    return _with(events, x=events["x"] // factor, y=events["y"] // factor)


def merge_polarities(events: np.ndarray) -> np.ndarray:
    """Give every event the polarity 0: a sensor (2, H, W) becomes (1, H, W)."""
    return _with(events, p=np.zeros(len(events), np.uint8))


def flip_polarity(events: np.ndarray) -> np.ndarray:
    """Exchange brighter and darker."""
    return _with(events, p=1 - events["p"])


def flip_x(events: np.ndarray, sensor: Sequence[int]) -> np.ndarray:
    """Mirror left and right.

    Raises:
        ValueError: an event lies off the sensor (C, H, W).
    """
    return _with(events, x=_mirrored(events["x"], check_sensor(sensor)[2]))


def flip_y(events: np.ndarray, sensor: Sequence[int]) -> np.ndarray:
    """Mirror top and bottom.

    Raises:
        ValueError: an event lies off the sensor (C, H, W).
    """
    return _with(events, y=_mirrored(events["y"], check_sensor(sensor)[1]))


def shift(events: np.ndarray, sensor: Sequence[int], dx: int, dy: int) -> np.ndarray:
    """Move all events by dx columns and dy rows; those that leave the sensor are gone.

    Example:
        >>> from spikeframe.data import make_events
        >>> shift(make_events(t=[0, 1], x=[0, 3]), (1, 1, 4), dx=1, dy=0)["x"]
        array([1], dtype=uint16)
    """
    return _moved(events, sensor, np.int64(dx), np.int64(dy))


def crop(events: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Keep a window of the sensor, with its corner as the origin: (C, height, width) remains.

    Raises:
        ValueError: the window is empty.
    """
    if min(height, width) < 1:
        raise ValueError(f"a window must have at least one pixel, got {height} x {width}")
    return _moved(events, (2, height, width), np.int64(-left), np.int64(-top))


def jitter_space(
    events: np.ndarray, sensor: Sequence[int], rng: np.random.Generator, *, sigma: float = 1.0
) -> np.ndarray:
    """Move each event by a normal number of pixels, rounded; those that leave the sensor are gone.

    Arguments:
        events: [n].
        sensor: (C, H, W).
        rng: What the moves are drawn from.
        sigma: Standard deviation of both coordinates, in pixels.

    Raises:
        ValueError: sigma is negative or not finite.
    """
    _check_scale("sigma", sigma)
    dx, dy = np.rint(rng.normal(0, sigma, (2, len(events)))).astype(np.int64)
    return _moved(events, sensor, dx, dy)


def jitter_time(
    events: np.ndarray, rng: np.random.Generator, *, sigma: float = 1000.0
) -> np.ndarray:
    """Move each event by a normal number of microseconds and sort anew; none is lost.

    Arguments:
        events: [n].
        rng: What the moves are drawn from.
        sigma: Standard deviation, in microseconds.

    Raises:
        ValueError: sigma is negative or not finite.
    """
    _check_scale("sigma", sigma)
    times = events["t"] + np.rint(rng.normal(0, sigma, len(events))).astype(np.int64)
    moved = _with(events, t=times)
    return moved[np.argsort(times, kind="stable")]


def drop_events(events: np.ndarray, rng: np.random.Generator, *, probability: float) -> np.ndarray:
    """Drop each event with a probability.

    Raises:
        ValueError: the probability is not within 0 to 1.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability must be within 0 to 1, got {probability!r}")
    return events[rng.random(len(events)) >= probability]


def random_temporal_delete(
    x_seq: Tensor, remaining: int, generator: torch.Generator | None = None
) -> Tensor:
    r"""Keep some steps of a sequence, chosen by chance, in their order.

    Arguments:
        x_seq: Frames; time comes first.
        remaining: Number of steps to keep.
        generator: What the choice is drawn from; torch's own by default.
    Shape:
        input, output: [T, \*] and [remaining, \*].
    Raises:
        ValueError: remaining is not within 1 to T.
    References:
        | Deep Residual Learning in Spiking Neural Networks (Fang et al., 2021)
        | https://arxiv.org/abs/2102.04159

    Example:
        >>> random_temporal_delete(torch.arange(5), 5)
        tensor([0, 1, 2, 3, 4])
    """
    steps = len(x_seq)
    if isinstance(remaining, bool) or not isinstance(remaining, int) or not 0 < remaining <= steps:
        raise ValueError(
            f"remaining must be a whole number within 1 to T={steps}, got {remaining!r}"
        )
    chosen = torch.randperm(steps, generator=generator)[:remaining].sort().values
    return x_seq[chosen.to(x_seq.device)]


def _with(events: np.ndarray, **fields: np.ndarray) -> np.ndarray:
    changed = events.copy()
    for name, values in fields.items():
        changed[name] = values
    return changed


def _mirrored(values: np.ndarray, size: int) -> np.ndarray:
    if len(values) and values.max() >= size:
        raise ValueError(
            f"an event at {values.max()} lies off the sensor, whose size there is {size}: give "
            "the recording's true size"
        )
    return size - 1 - values


def _moved(
    events: np.ndarray, sensor: Sequence[int], dx: np.ndarray | np.int64, dy: np.ndarray | np.int64
) -> np.ndarray:
    _, height, width = check_sensor(sensor)
    x, y = events["x"] + dx, events["y"] + dy
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return _with(events[inside], x=x[inside], y=y[inside])


def _check_scale(name: str, value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be finite and at least 0, got {value!r}")
