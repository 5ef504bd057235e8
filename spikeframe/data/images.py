"""Labelled images in memory: one set, and the pair of a training and a test set."""

__all__ = ["ImageSet", "Labelled", "Split", "unit_images"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

Index = int | slice | Sequence[int] | Tensor


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet(Dataset[tuple[Tensor, Tensor]]):
    r"""Images with labels, held as two tensors; a map-style dataset for torch's DataLoader.

    Images are floating point with 0 for black (no ink) and 1 for full intensity: what a direct
    encoder takes as a current and a Poisson encoder as a probability. An index may be a number,
    a slice, a list or a tensor, so a whole batch is read by one indexing::

        DataLoader(data, batch_size=None, sampler=BatchSampler(RandomSampler(data), 64, False))

    Arguments:
        images: Intensities in [0, 1], floating point, [N, C, H, W].
        labels: Class of each image, int64, [N], counted from 0.
        classes: Name of each class.

    Raises:
        TypeError: images are not floating point, or labels are not int64.
        ValueError: a shape, an intensity or a label is out of range, or the set is empty.

    Example:
        >>> data = ImageSet(torch.rand(5, 1, 8, 8), torch.tensor([0, 1, 1, 0, 1]), ("cat", "dog"))
        >>> data
        ImageSet(5 images [1, 8, 8], 2 classes)
        >>> image, label = data[3]
        >>> image.shape, data.classes[label]
        (torch.Size([1, 8, 8]), 'cat')
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_images(self.images)
        _check_labels(self.labels, len(self.images), len(self.classes))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Index) -> tuple[Tensor, Tensor]:
        return self.images[index], self.labels[index]

    def __repr__(self) -> str:
        return f"ImageSet({len(self)} images {list(self.shape)}, {len(self.classes)} classes)"

    @property
    def shape(self) -> torch.Size:
        """Shape of one image, [C, H, W]."""
        return self.images.shape[1:]

    def take(self, index: slice | Sequence[int] | Tensor) -> "ImageSet":
        """Return the set of the chosen images, with the same classes.

        Example:
            >>> data = ImageSet(torch.rand(5, 1, 8, 8), torch.zeros(5).long(), ("cat",))
            >>> data.take(slice(3))
            ImageSet(3 images [1, 8, 8], 1 classes)
        """
        return ImageSet(self.images[index], self.labels[index], self.classes)


class Labelled(Protocol):
    """What a set of samples with labels has in common with others."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each class."""

    @property
    def shape(self) -> torch.Size:
        """Shape of one image or frame, [C, H, W]."""

    def __len__(self) -> int: ...


Set = TypeVar("Set", bound=Labelled)


@dataclass(frozen=True)
class Split(Generic[Set]):
    """A training and a test set of equal shape and classes; unpacks as a pair.

    Arguments:
        train: The training set.
        test: The test set.
        valid: The validation set, where one is published; not part of the pair.

    Raises:
        ValueError: the sets differ in shape or in classes.

    Example:
        >>> data = ImageSet(torch.rand(5, 1, 8, 8), torch.zeros(5).long(), ("cat",))
        >>> train, test = Split(train=data.take([0, 1, 2]), test=data.take([3, 4]))
        >>> len(train), len(test)
        (3, 2)
    """

    train: Set
    test: Set
    valid: Set | None = None

    def __post_init__(self) -> None:
        others = {"test": self.test} | ({} if self.valid is None else {"valid": self.valid})
        for name, other in others.items():
            if other.shape != self.train.shape:
                shapes = f"{list(self.train.shape)} and {list(other.shape)}"
                raise ValueError(f"train and {name} must have images of one shape, got {shapes}")
            if other.classes != self.train.classes:
                classes = f"{self.train.classes} and {other.classes}"
                raise ValueError(f"train and {name} must have the same classes, got {classes}")

    def __iter__(self) -> Iterator[Set]:
        return iter((self.train, self.test))


def unit_images(parts: Sequence[np.ndarray]) -> Tensor:
    """Join arrays of bytes [n, C, H, W] to one float32 tensor in [0, 1], in a single copy.

    Example:
        >>> unit_images([np.zeros((2, 1, 8, 8), np.uint8), np.ones((3, 1, 8, 8), np.uint8)]).shape
        torch.Size([5, 1, 8, 8])
    """
    images = torch.empty(sum(map(len, parts)), *parts[0].shape[1:])
    for target, part in zip(images.split([len(part) for part in parts]), parts, strict=True):
        # numpy copies: torch.from_numpy would warn of arrays that lie in read-only bytes.
        np.copyto(target.numpy(), part)
    return images.div_(255)


def _check_images(images: Tensor) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"images must be a floating-point tensor in [0, 1], got {kind}")
    if images.dim() != 4 or images.numel() == 0:
        raise ValueError(
            f"images must be [N, C, H, W] with at least one image, got {list(images.shape)}"
        )
    low, high = (bound.item() for bound in images.aminmax())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"images must lie in [0, 1], got {low:g} to {high:g}: divide by the largest value"
        )


def _check_labels(labels: Tensor, n_images: int, n_classes: int) -> None:
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        kind = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise TypeError(f"labels must be an int64 tensor, got {kind}: call .long()")
    if labels.shape != (n_images,):
        raise ValueError(
            f"labels must be [{n_images}], one for each image, got {list(labels.shape)}"
        )
    low, high = (int(bound) for bound in labels.aminmax())
    if low < 0 or high >= n_classes:
        raise ValueError(
            f"labels must lie in 0..{n_classes - 1} for {n_classes} classes, got {low}..{high}"
        )
