"""Recordings in parts: read, put together, and counted into frames one at a time."""

__all__ = ["LONGEST", "in_order", "stream_frames"]

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from .counting import count
from .events import EVENT_DTYPE, as_events, check_order, check_sensor
from .slices import check_positive

LONGEST = 1 << 17
"""Events in one part of a recording that is read in parts: 2 MiB of them."""


def stream_frames(
    parts: Iterable[np.ndarray], sensor: Sequence[int], *, duration: int
) -> Iterator[Tensor]:
    r"""Count a recording that is too long for the memory, frame by frame.

    The frames are those of :func:`to_frames` with the same duration; at any time one of them
    and one part are in memory.

    Arguments:
        parts: The recording's events in the order of time, part after part: what
            :func:`stream_events` gives.
        sensor: (C, H, W): polarities, height and width.
        duration: Microseconds per frame.
    Shape:
        output: [C, H, W] each, float32.
    Raises:
        ValueError: duration is not positive, time goes back, or an event lies off the sensor.

    Example:
        >>> from spikeframe.data import make_events
        >>> events = make_events(t=[0, 10, 25, 70], x=[0, 1, 1, 0])
        >>> frames = stream_frames([events[:3], events[3:]], (1, 1, 2), duration=30)
        >>> [frame.flatten().tolist() for frame in frames]
        [[1.0, 2.0], [0.0, 0.0], [1.0, 0.0]]
    """
    check_positive("the duration (in microseconds)", duration)
    shape = check_sensor(sensor)
    frame: Tensor | None = None
    last = end = 0
    for part in map(as_events, parts):
        _check_follows(part, None if frame is None else last)
        position = 0
        while position < len(part):
            if frame is None:
                frame, end = torch.zeros(shape), int(part["t"][0]) + duration
            stop = int(np.searchsorted(part["t"], end))
            frame += count(part[position:stop], np.array([0, stop - position]), shape)[0]
            position, last = stop, int(part["t"][-1])
            if stop < len(part):
                yield frame
                frame, end = torch.zeros(shape), end + duration
    if frame is not None:
        yield frame


def in_order(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Join the parts of a recording and, where time goes back, sort them by it."""
    events = np.concatenate([np.zeros(0, EVENT_DTYPE), *parts])
    if (events["t"][1:] < events["t"][:-1]).any():
        return events[np.argsort(events["t"], kind="stable")]
    return events


def _check_follows(part: np.ndarray, last: int | None) -> None:
    """Raise a ValueError unless a part is sorted and begins where the one before ended."""
    check_order(part)
    if last is not None and len(part) and part["t"][0] < last:
        raise ValueError(
            f"the parts of a recording must be in the order of time, got t={part['t'][0]} after "
            f"t={last}: read it whole, which sorts it"
        )
