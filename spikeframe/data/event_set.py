"""Labelled recordings, each read when it is asked for."""

__all__ = ["EventSet", "Recording", "file_key"]

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .events import Sensor, check_sensor


@dataclass(frozen=True)
class Recording:
    """One recording that can be read again and again, by any process.

    Arguments:
        read: Gives the events; picklable.
        key: Gives what tells this recording from others, and from itself before a change.
    """

    read: Callable[[], np.ndarray]
    key: Callable[[], str]


@dataclass(frozen=True, eq=False, repr=False)
class EventSet(Dataset[tuple[np.ndarray, int]]):
    r"""Recordings of events with labels; a map-style dataset of (events, label).

    Arguments:
        recordings: What is read, [N].
        labels: Class of each recording, int64, [N], counted from 0.
        classes: Name of each class.
        sensor: (C, H, W): polarities, height and width.

    Raises:
        ValueError: The set is empty, or the labels do not fit.

    Example:
        >>> from spikeframe.data import event_digits
        >>> train, test = event_digits()
        >>> events, label = test[0]
        >>> events.dtype.names, test.classes[label]
        (('t', 'x', 'y', 'p'), '2')
    """

    recordings: Sequence[Recording]
    labels: Tensor
    classes: tuple[str, ...]
    sensor: Sensor

    def __post_init__(self) -> None:
        check_sensor(self.sensor)
        if len(self.recordings) == 0:
            raise ValueError("a set must hold at least one recording, got none")
        if self.labels.shape != (len(self.recordings),) or self.labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 and [{len(self.recordings)}], one for each recording, got "
                f"{self.labels.dtype} and {list(self.labels.shape)}"
            )
        low, high = (int(bound) for bound in self.labels.aminmax())
        if low < 0 or high >= len(self.classes):
            raise ValueError(
                f"labels must lie in 0..{len(self.classes) - 1} for {len(self.classes)} classes, "
                f"got {low}..{high}"
            )

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.recordings[index].read(), int(self.labels[index])

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"EventSet({len(self)} recordings {list(self.sensor)}, {len(self.classes)} classes)"

    @property
    def shape(self) -> torch.Size:
        """Shape of one frame, [C, H, W]."""
        return torch.Size(self.sensor)

    def take(self, index: slice | Sequence[int] | Tensor) -> "EventSet":
        """The set of the chosen recordings, with the same classes."""
        chosen = torch.arange(len(self))[index]
        recordings = [self.recordings[i] for i in chosen.tolist()]
        return EventSet(recordings, self.labels[chosen], self.classes, self.sensor)


def file_key(path: os.PathLike[str] | str, *parts: object) -> str:
    """What tells a file's recording from others, and the file from itself before a change."""
    status = os.stat(path)
    return "|".join(map(str, (path, status.st_size, status.st_mtime_ns, *parts)))
