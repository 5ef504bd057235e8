r"""Where a recording is cut into slices: every event lies in exactly one of them.

A cut is an array of T + 1 positions: slice t holds the events from `cut[t]` up to, and without,
`cut[t + 1]`. The first position is 0 and the last the number of events, so none is lost.
"""

__all__ = ["check_positive", "cut_by_duration", "cut_by_number", "cut_by_time"]

import numpy as np


def cut_by_number(n_events: int, slices: int) -> np.ndarray:
    r"""Cut into slices of equally many events; the last one takes what is left over.

    .. math::
        c_t = t \lfloor n / T \rfloor, \quad c_T = n

    Fewer events than slices fill the first slices with one each.

    Arguments:
        n_events: Number of events n.
        slices: Number of slices T.
    Shape:
        output: [T + 1], int64.
    Raises:
        ValueError: there is not at least one slice.

    Example:
        >>> cut_by_number(11, 3)
        array([ 0,  3,  6, 11])
    """
    check_positive("the number of slices", slices)
    cut = np.arange(slices + 1) * max(n_events // slices, 1)
    cut[-1] = n_events
    return np.minimum(cut, n_events)


def cut_by_time(t: np.ndarray, slices: int) -> np.ndarray:
    r"""Cut into slices of equal time; the last one takes what is left over, the last event too.

    .. math::
        c_t = \min \{i : t_i \ge t_0 + t \Delta\}, \quad
        \Delta = \lfloor (t_{n-1} - t_0) / T \rfloor, \quad c_T = n

    A slice without events is empty. :math:`\Delta` is at least 1 microsecond.

    Arguments:
        t: Times of the events in microseconds, sorted, [n].
        slices: Number of slices T.
    Shape:
        output: [T + 1], int64.
    Raises:
        ValueError: there is not at least one slice.

    Example:
        >>> cut_by_time(np.array([100, 110, 145, 199, 200]), 2)
        array([0, 3, 5])
    """
    check_positive("the number of slices", slices)
    if len(t) == 0:
        return np.zeros(slices + 1, np.int64)
    start = int(t[0])
    width = max((int(t[-1]) - start) // slices, 1)
    return _cut(t, start + np.arange(1, slices, dtype=np.int64) * width)


def cut_by_duration(t: np.ndarray, duration: int) -> np.ndarray:
    r"""Cut into slices of a given duration, as many as the recording is long.

    .. math::
        c_t = \min \{i : t_i \ge t_0 + t d\}, \quad T = \lfloor (t_{n-1} - t_0) / d \rfloor + 1

    Arguments:
        t: Times of the events in microseconds, sorted, [n].
        duration: Duration d of a slice in microseconds.
    Shape:
        output: [T + 1], int64; T is 0 without events.
    Raises:
        ValueError: the duration is not at least 1.

    Example:
        >>> cut_by_duration(np.array([100, 110, 145, 199, 200]), 50)
        array([0, 3, 4, 5])
    """
    check_positive("the duration (in microseconds)", duration)
    if len(t) == 0:
        return np.zeros(1, np.int64)
    start = int(t[0])
    slices = (int(t[-1]) - start) // duration + 1
    return _cut(t, start + np.arange(1, slices, dtype=np.int64) * duration)


def _cut(t: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Positions from 0 to n that rise also where the times are not sorted, which count() tells."""
    inner = np.maximum.accumulate(np.searchsorted(t, starts))
    return np.concatenate([[0], inner, [len(t)]])


def check_positive(name: str, value: int) -> None:
    """Raise a ValueError unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
