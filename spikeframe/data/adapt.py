"""Other libraries' data sets as an ImageSet."""

__all__ = ["from_dataset"]

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .images import ImageSet


def from_dataset(dataset: Any, classes: Sequence[str] | None = None) -> ImageSet:
    r"""Read a map-style dataset of (image, label) pairs whole, such as one of torchvision's.

    An image is a tensor [C, H, W], or what numpy reads as [H, W] or [H, W, C] (a PIL image).
    Whole numbers are bytes and are divided by 255; floating point must lie in [0, 1] already.

    Arguments:
        dataset: Object with `len(dataset)` and `dataset[i]`.
        classes: Name of each class; `dataset.classes` by default, else the numbers that occur.

    Raises:
        TypeError: an image is neither bytes nor floating point.
        ValueError: the dataset is empty, its images differ in shape, or ImageSet refuses them.

    Example:
        >>> from_dataset([(np.zeros((28, 28), np.uint8), 1), (np.ones((28, 28), np.uint8), 0)])
        ImageSet(2 images [1, 28, 28], 2 classes)
    """
    pairs = [dataset[i] for i in range(len(dataset))]
    if not pairs:
        raise ValueError("dataset must hold at least one image, got an empty one")
    images = [_to_unit(image) for image, _ in pairs]
    if len(shapes := {tuple(image.shape) for image in images}) > 1:
        raise ValueError(f"images must have one shape, got {sorted(shapes)}: resize them first")
    labels = torch.tensor([int(label) for _, label in pairs])
    names = classes if classes is not None else getattr(dataset, "classes", None)
    numbers = map(str, range(int(labels.max()) + 1))
    return ImageSet(torch.stack(images), labels, tuple(numbers if names is None else names))


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
