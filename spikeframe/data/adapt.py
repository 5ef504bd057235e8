"""Other libraries' data sets as ours: torchvision's images, tonic's and SpikingJelly's events."""

__all__ = ["from_dataset"]

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .event_set import EventSet, Recording, file_key
from .events import Sensor, as_events, check_sensor
from .images import ImageSet
from .transform import merge_polarities


def from_dataset(
    dataset: Any, classes: Sequence[str] | None = None, *, sensor: Sequence[int] | None = None
) -> ImageSet | EventSet:
    r"""Take a map-style dataset of (image, label) or (events, label) pairs as it is.

    Images are read whole. One is a tensor [C, H, W], or what numpy reads as [H, W] or [H, W, C]
    (a PIL image); whole numbers are bytes and are divided by 255; floating point must lie in
    [0, 1] already. Events are read when they are asked for: what :func:`as_events` takes, so
    tonic's arrays and SpikingJelly's mappings, from datasets without a transform.

    Arguments:
        dataset: Object with `len(dataset)` and `dataset[i]`.
        classes: Name of each class; `dataset.classes` by default, else the numbers that occur.
        sensor: (C, H, W) of the events: polarities, height, width; by default what
            `dataset.sensor_size` (tonic) or `dataset.get_H_W()` (SpikingJelly) says.

    Raises:
        TypeError: an image is neither bytes nor floating point.
        ValueError: the dataset is empty, its images differ in shape or are refused by ImageSet, or
            the sensor of its events is not known.

    Example:
        >>> from_dataset([(np.zeros((28, 28), np.uint8), 1), (np.ones((28, 28), np.uint8), 0)])
        ImageSet(2 images [1, 28, 28], 2 classes)
        >>> tonic = np.array([(3, 1, 7, True)], [("x", int), ("y", int), ("t", int), ("p", bool)])
        >>> from_dataset([(tonic, 0), (tonic, 1)], sensor=(2, 4, 4))
        EventSet(2 recordings [2, 4, 4], 2 classes)
    """
    if len(dataset) == 0:
        raise ValueError("dataset must hold at least one sample, got an empty one")
    if _is_events(dataset[0][0]):
        return _event_set(dataset, classes, sensor)
    pairs = [dataset[i] for i in range(len(dataset))]
    images = [_to_unit(image) for image, _ in pairs]
    if len(shapes := {tuple(image.shape) for image in images}) > 1:
        raise ValueError(f"images must have one shape, got {sorted(shapes)}: resize them first")
    labels = torch.tensor([int(label) for _, label in pairs])
    return ImageSet(torch.stack(images), labels, _names(dataset, classes, labels))


def _event_set(
    dataset: Any, classes: Sequence[str] | None, sensor: Sequence[int] | None
) -> EventSet:
    known = _sensor(dataset) if sensor is None else check_sensor(sensor)
    if known is None:
        raise ValueError(
            "the sensor of these events is not known: give sensor=(polarities, height, width)"
        )
    labels = _labels(dataset)
    recordings = [
        Recording(partial(_read, dataset, known[0] == 1, i), partial(_key, dataset, i))
        for i in range(len(dataset))
    ]
    return EventSet(recordings, labels, _names(dataset, classes, labels), known)


def _is_events(sample: Any) -> bool:
    names = sample.dtype.names if isinstance(sample, np.ndarray) else sample
    return isinstance(names, tuple | Mapping) and {"t", "x"} <= set(names)


def _sensor(dataset: Any) -> Sensor | None:
    """What tonic keeps as (width, height, polarities) and SpikingJelly as height and width."""
    if size := getattr(dataset, "sensor_size", None):
        width, height, polarities = size
        return check_sensor((polarities, height, width))
    sides = dataset.get_H_W() if hasattr(dataset, "get_H_W") else (None, None)
    return None if None in sides else check_sensor((2, *sides))


def _labels(dataset: Any) -> Tensor:
    """The labels, without the events where the dataset keeps them apart."""
    changed = any(getattr(dataset, name, None) for name in ("target_transform", "transforms"))
    targets = getattr(dataset, "targets", ())
    if changed or len(targets) != len(dataset):
        targets = [dataset[i][1] for i in range(len(dataset))]
    return torch.tensor([int(target) for target in targets])


def _read(dataset: Any, one_polarity: bool, index: int) -> np.ndarray:
    events = as_events(dataset[index][0])
    # A sensor of one polarity has the polarity 0 here, and 1 in tonic's SHD.
    return merge_polarities(events) if one_polarity else events


def _key(dataset: Any, index: int) -> str:
    """The file that a sample is read from, without which it could be mistaken for another."""
    own = getattr(dataset, "samples", None) or getattr(dataset, "data", None) or {}
    file = own[index] if len(own) == len(dataset) else None
    file = file[0] if isinstance(file, tuple) else file
    changed = any(getattr(dataset, name, None) for name in ("transform", "transforms"))
    if changed or not isinstance(file, str | os.PathLike):
        raise ValueError(
            f"what {type(dataset).__name__} reads cannot be told by its files, so its frames "
            "cannot be kept: use no cache_dir"
        )
    return file_key(file, type(dataset).__qualname__)


def _names(dataset: Any, classes: Sequence[str] | None, labels: Tensor) -> tuple[str, ...]:
    names = getattr(dataset, "classes", None) if classes is None else classes
    if names is None:
        return tuple(map(str, range(int(labels.max()) + 1)))
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)


def _to_unit(image: Any) -> Tensor:
    tensor = image if isinstance(image, Tensor) else _channels_first(np.asarray(image))
    if tensor.dtype == torch.uint8:
        return tensor.float().div_(255)
    if not tensor.is_floating_point():
        raise TypeError(f"images must be uint8 or floating point, got {tensor.dtype}")
    return tensor


def _channels_first(image: np.ndarray) -> Tensor:
    if image.ndim not in (2, 3):
        raise ValueError(f"images must be [H, W] or [H, W, C], got {list(image.shape)}")
    # A copy, as a PIL image gives read-only memory, which torch warns of.
    return torch.from_numpy(np.array(image).reshape(*image.shape[:2], -1)).permute(2, 0, 1)
