"""Recordings as frames: counted when they are asked for, or kept on disk once counted."""

__all__ = ["FrameSet", "Integration"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .collate import collate_sequences
from .event_set import EventSet
from .events import Sensor, check_sensor
from .frame_cache import FrameCache
from .frames import to_frames
from .transform import downsample

Index = slice | Sequence[int] | Tensor


@dataclass(frozen=True)
class Integration:
    """How a recording becomes frames.

    Arguments:
        frames_number: Number of frames T, the same for all recordings.
        split_by: `'number'` for equally many events in each frame, `'time'` for equal time.
        duration: Instead of frames_number: microseconds per frame; T differs.
        factor: Side of the squares of pixels that are joined to one.
    """

    frames_number: int | None = None
    split_by: str = "number"
    duration: int | None = None
    factor: int = 1

    def __call__(self, events: Any, sensor: Sequence[int]) -> Tensor:
        """The frames of a recording, [T, C, H / factor, W / factor]."""
        return to_frames(
            downsample(events, self.factor) if self.factor > 1 else events,
            self.shape(sensor),
            frames_number=self.frames_number,
            split_by=self.split_by,
            duration=self.duration,
        )

    def shape(self, sensor: Sequence[int]) -> Sensor:
        """The shape (C, H, W) of a frame."""
        polarities, height, width = check_sensor(sensor)
        return polarities, -(-height // self.factor), -(-width // self.factor)


class FrameSet(Dataset[tuple[Tensor, int]]):
    r"""The frames of an :class:`EventSet`; a map-style dataset for torch's DataLoader.

    An index that is a number gives one sample, [T, C, H, W] and its label; a slice, a list or a
    tensor gives a batch with time first, [T, N, C, H, W] and [N].

    Arguments:
        events: The recordings.
        integration: How they become frames.
        cache_dir: Folder where frames are kept once they are counted, one file per recording and
            set of parameters. Several processes may use it at once; it can be deleted at any
            time. Without one, frames are counted at every access.

    Raises:
        OSError: (when a frame is asked for) the folder cannot be written.

    Example:
        >>> from spikeframe.data import event_digits
        >>> data = FrameSet(event_digits().train, Integration(frames_number=6, split_by="time"))
        >>> x_seq, labels = data[:32]
        >>> x_seq.shape
        torch.Size([6, 32, 2, 16, 16])
    """

    def __init__(
        self,
        events: EventSet,
        integration: Integration,
        cache_dir: str | Path | None = None,
    ) -> None:
        self.events, self.integration = events, integration
        self.cache = None if cache_dir is None else FrameCache(Path(cache_dir).expanduser())

    def __len__(self) -> int:
        return len(self.events)

    @overload
    def __getitem__(self, index: int) -> tuple[Tensor, int]: ...

    @overload
    def __getitem__(self, index: Index) -> tuple[Tensor, Tensor]: ...

    def __getitem__(self, index: int | Index) -> tuple[Tensor, int | Tensor]:
        if isinstance(index, int | np.integer):
            return self._frames(int(index)), int(self.labels[index])
        chosen = torch.arange(len(self))[index].tolist()
        return collate_sequences([(self._frames(i), int(self.labels[i])) for i in chosen])

    def __repr__(self) -> str:
        return f"FrameSet({self.events!r}, {self.integration!r})"

    @property
    def labels(self) -> Tensor:
        """Class of each recording, int64, [N]."""
        return self.events.labels

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each class."""
        return self.events.classes

    @property
    def shape(self) -> torch.Size:
        """Shape of one frame, [C, H, W]."""
        return torch.Size(self.integration.shape(self.events.sensor))

    def take(self, index: Index) -> "FrameSet":
        """The set of the chosen recordings, with the same integration and cache."""
        chosen = FrameSet(self.events.take(index), self.integration)
        chosen.cache = self.cache
        return chosen

    def prepare(self, on_recording: Callable[[], None] = lambda: None) -> None:
        """Count every recording that the cache does not hold, in order; without one do nothing.

        Arguments:
            on_recording: Called after each recording.
        """
        for i in range(len(self) if self.cache is not None else 0):
            self._frames(i)
            on_recording()

    def _frames(self, index: int) -> Tensor:
        recording = self.events.recordings[index]

        def count() -> Tensor:
            return self.integration(recording.read(), self.events.sensor)

        if self.cache is None:
            return count()
        return self.cache.get((self.integration, self.events.sensor, recording.key()), count)
