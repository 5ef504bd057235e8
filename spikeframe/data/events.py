"""Events of a camera or an ear: a numpy structured array in the order of time."""

__all__ = [
    "EVENT_DTYPE",
    "Sensor",
    "as_events",
    "check_order",
    "check_sensor",
    "make_events",
    "pack_events",
]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

EVENT_DTYPE = np.dtype(
    [("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("p", np.uint8)], align=True
)
"""One event: time in microseconds, column, row, polarity (1 brighter, 0 darker)."""

Sensor = tuple[int, int, int]
"""Polarities C (1 or 2), height H and width W of what records the events: one frame's shape."""


def make_events(
    t: ArrayLike, x: ArrayLike, y: ArrayLike | None = None, p: ArrayLike | None = None
) -> np.ndarray:
    """Make events of :data:`EVENT_DTYPE` from one array per field.

    Arguments:
        t: Times in microseconds, whole numbers that never fall, [n].
        x: Columns, 0 to 65535, [n].
        y: Rows, likewise; 0 by default (an ear has one row of channels).
        p: Polarities: 0 and 1, False and True, or -1 and 1; 0 by default.

    Raises:
        TypeError: a field holds something other than whole numbers.
        ValueError: the fields differ in length, a value is out of range, or time goes back.

    Example:
        >>> make_events(t=[10, 25], x=[3, 4], y=[0, 1], p=[1, -1])["p"]
        array([1, 0], dtype=uint8)
    """
    times = _whole("t", t)
    columns = _coordinates("x", _whole("x", x, len(times)))
    rows = 0 if y is None else _coordinates("y", _whole("y", y, len(times)))
    signs = 0 if p is None else _polarities(_whole("p", p, len(times)))
    events = pack_events(times, columns, rows, signs)
    check_order(events)
    return events


def pack_events(t: ArrayLike, x: ArrayLike, y: ArrayLike = 0, p: ArrayLike = 0) -> np.ndarray:
    """Put fields into events of :data:`EVENT_DTYPE` without a check, as a reader knows them."""
    events = np.zeros(np.shape(t), EVENT_DTYPE)
    events["t"], events["x"], events["y"], events["p"] = t, x, y, p
    return events


def as_events(source: Any) -> np.ndarray:
    """Events of another library as an array of :data:`EVENT_DTYPE`.

    Arguments:
        source: A structured array with the fields t, x and, if it has them, y and p, in any
            order and of any whole or boolean type (tonic's), or a mapping with these keys
            (SpikingJelly's, and its .npz files). An array of EVENT_DTYPE is returned as it is.

    Raises:
        TypeError: source is neither, or a field holds something other than whole numbers.
        ValueError: as :func:`make_events`.

    Example:
        >>> tonic = np.array([(3, 7, True)], [("x", np.int16), ("t", np.int64), ("p", bool)])
        >>> as_events(tonic)
        array([(7, 3, 0, 1)], dtype={...})
    """
    if isinstance(source, np.ndarray) and source.dtype == EVENT_DTYPE:
        return source
    names = source.dtype.names if isinstance(source, np.ndarray) else source
    if not isinstance(names, tuple | Mapping) or not {"t", "x"} <= set(names):
        raise TypeError(
            "events must be a structured array or a mapping with t, x and maybe y, p, got "
            f"{_kind(source)}: use make_events(t, x, y, p)"
        )
    y, p = (source[name] if name in names else None for name in ("y", "p"))
    return make_events(source["t"], source["x"], y, p)


def check_order(events: np.ndarray) -> None:
    """Raise a ValueError where the time of an event is before that of the one before it."""
    times = events["t"]
    falls = times[1:] < times[:-1]
    if falls.any():
        i = int(falls.argmax()) + 1
        raise ValueError(
            f"events must be in the order of time, got t={times[i]} after t={times[i - 1]} at "
            f"event {i}: sort them first, events[np.argsort(events['t'], kind='stable')]"
        )


def check_sensor(sensor: Sequence[int]) -> Sensor:
    """Return a sensor's shape, three positive whole numbers with 1 or 2 polarities.

    Raises:
        ValueError: it is not that.
    """
    shape = tuple(sensor)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in shape)
    if not whole or len(shape) != 3 or min(shape) < 1 or shape[0] > 2:
        raise ValueError(
            "sensor must be (polarities, height, width), whole numbers, the first of them 1 or "
            f"2, got {sensor}"
        )
    return int(shape[0]), int(shape[1]), int(shape[2])


def _whole(name: str, values: ArrayLike, length: int | None = None) -> np.ndarray:
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub":
        raise TypeError(
            f"{name} must hold whole numbers, got {array.dtype}: times are in microseconds, so "
            "multiply seconds by 1e6 and round"
        )
    if array.ndim != 1 or (length is not None and len(array) != length):
        allowed = "[n]" if length is None else f"[{length}], one for each time"
        raise ValueError(f"{name} must be {allowed}, got {list(array.shape)}")
    return array


def _coordinates(name: str, values: np.ndarray) -> np.ndarray:
    largest = np.iinfo(np.uint16).max
    if values.size and not (values.min() >= 0 and values.max() <= largest):
        found = f"{values.min()} to {values.max()}"
        raise ValueError(f"{name} must be within 0..{largest}, got {found}")
    return values


def _polarities(values: np.ndarray) -> np.ndarray:
    if values.size and not (values.min() >= -1 and values.max() <= 1):
        raise ValueError(f"p must be 0 and 1, or -1 and 1, got {values.min()} to {values.max()}")
    if values.size and values.min() < 0 and (values == 0).any():
        raise ValueError("p must be 0 and 1, or -1 and 1, got -1, 0 and 1 together")
    return values > 0


def _kind(source: Any) -> str:
    if isinstance(source, np.ndarray):
        return f"an array of {source.dtype}"
    return type(source).__name__
