"""Recordings that lie in one folder per class, as most event data sets are published."""

__all__ = ["read_class_folders"]

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

from .event_set import EventSet, Recording, file_key
from .events import Sensor

Reader = Callable[[Path], np.ndarray]


def read_class_folders(
    folder: Path,
    classes: tuple[str, ...],
    sensor: Sensor,
    readers: Mapping[str, Reader],
    *,
    names: tuple[str, ...] | None = None,
) -> EventSet:
    """The recordings in a folder per class, sorted by class and by the numbers in their names.

    Arguments:
        folder: Where the folders of the classes are.
        classes: Name of each class.
        sensor: What recorded the events.
        readers: What reads a file, by the end of its name.
        names: Name of each class's folder; the class's own by default.

    Raises:
        FileNotFoundError: a class has no folder, or no recording in it.
    """
    recordings, labels = [], []
    for label, name in enumerate(names or classes):
        found = sorted(_files(folder / name, readers), key=lambda file: _by_number(file[0]))
        if not found:
            endings = " or ".join(readers)
            raise FileNotFoundError(
                f"{folder / name} holds no recording ({endings}): unpack the data set anew"
            )
        recordings += [
            Recording(partial(read, path), partial(file_key, path)) for path, read in found
        ]
        labels += [label] * len(found)
    return EventSet(recordings, torch.tensor(labels), classes, sensor)


def _files(folder: Path, readers: Mapping[str, Reader]) -> list[tuple[Path, Reader]]:
    try:
        paths = list(folder.iterdir())
    except OSError:
        return []
    # What an unpacking on a Mac leaves beside each file.
    paths = [path for path in paths if not path.name.startswith(".")]
    return [
        (path, read) for path in paths for end, read in readers.items() if path.name.endswith(end)
    ]


def _by_number(path: Path) -> tuple[int | str, ...]:
    """Numbers as numbers: cat_9 comes before cat_10."""
    parts = re.split(r"(\d+)", path.name)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts))
