"""MNIST and Fashion-MNIST from their idx files, plain or packed by gzip.

An idx file is a header (two zero bytes, a type, the number of dimensions, then each dimension
as a big-endian 32-bit number) and the values in C order, of which these sets use bytes alone.
"""

__all__ = ["load_fashion_mnist", "load_mnist", "read_idx"]

import math
import os
import struct
from pathlib import Path

import numpy as np
import torch

from .files import Layout, Source, check_labels, damaged, find, read_content
from .images import ImageSet, Split, unit_images

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
UNSIGNED_BYTE = 0x08

# The two sets have equal file names, so the folders that carry a set's name are searched first.
MNIST = Source(
    "mnist",
    (Layout(FILES, ("MNIST/raw", "mnist", ".")),),
    "http://yann.lecun.com/exdb/mnist and https://ossci-datasets.s3.amazonaws.com/mnist/",
)
FASHION_MNIST = Source(
    "fashion-mnist",
    (Layout(FILES, ("FashionMNIST/raw", "fashion-mnist", ".")),),
    "https://github.com/zalandoresearch/fashion-mnist",
)
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_mnist(data_dir: str | os.PathLike[str] | None) -> Split[ImageSet]:
    """Load MNIST, [1, 28, 28], split as published: 60000 images to train, 10000 to test.

    Arguments:
        data_dir: Folder with the four idx files, or with `MNIST/raw` or `mnist` that has them.

    Raises:
        FileNotFoundError: no folder holds all four files.
        DataError: a file is damaged.

    References:
        | Gradient-based learning applied to document recognition (LeCun et al., 1998)
        | https://doi.org/10.1109/5.726791
    """
    return _load(MNIST, data_dir, tuple("0123456789"))


def load_fashion_mnist(data_dir: str | os.PathLike[str] | None) -> Split[ImageSet]:
    """Load Fashion-MNIST, [1, 28, 28], split as published: 60000 to train, 10000 to test.

    Arguments:
        data_dir: Folder with the four idx files, or with `FashionMNIST/raw` or `fashion-mnist`
            that has them.

    Raises:
        FileNotFoundError: no folder holds all four files.
        DataError: a file is damaged.

    References:
        | Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms
          (Xiao, Rasul and Vollgraf, 2017)
        | https://arxiv.org/abs/1708.07747
    """
    return _load(FASHION_MNIST, data_dir, GARMENTS)


def read_idx(path: Path, n_dims: int) -> np.ndarray:
    """Read an idx file of bytes with `n_dims` dimensions, as a view of its content.

    Raises:
        DataError: the magic number, the type, the dimensions or the length is wrong.
    """
    content = read_content(path)
    start = 4 + 4 * n_dims
    magic = bytes((0, 0, UNSIGNED_BYTE, n_dims))
    if content[:4] != magic:
        expected = f"{magic.hex(' ')} (idx, unsigned bytes, {n_dims} dimensions)"
        raise damaged(path, "byte 0", expected, content[:4].hex(" ") or "an empty file")
    if len(content) < start:
        found = f"{len(content)} bytes in all"
        raise damaged(path, "byte 4", f"{n_dims} dimensions, a header of {start} bytes", found)
    shape = struct.unpack_from(f">{n_dims}I", content, 4)
    if 0 in shape:
        raise damaged(path, "byte 4", "dimensions of at least 1", str(list(shape)))
    _check_length(path, len(content), start, shape)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _check_length(path: Path, size: int, start: int, shape: tuple[int, ...]) -> None:
    end = start + math.prod(shape)
    if size < end:
        expected = f"{end} bytes in all for {list(shape)} values"
        raise damaged(path, f"byte {size}", expected, f"the end of the file after {size}")
    if size > end:
        expected = f"the end of the file after {list(shape)} values"
        raise damaged(path, f"byte {end}", expected, f"{size - end} bytes more")


def _load(
    source: Source, data_dir: str | os.PathLike[str] | None, classes: tuple[str, ...]
) -> Split[ImageSet]:
    _, (train_images, train_labels, test_images, test_labels) = find(source, data_dir)
    train = _read_set(train_images, train_labels, classes)
    test = _read_set(test_images, test_labels, classes)
    if train.shape != test.shape:
        expected = f"images of {_size(train)} pixels as in {train_images.name}"
        raise damaged(test_images, "byte 8", expected, f"{_size(test)}")
    return Split(train, test)


def _read_set(image_path: Path, label_path: Path, classes: tuple[str, ...]) -> ImageSet:
    images = read_idx(image_path, n_dims=3)
    labels = read_idx(label_path, n_dims=1)
    if len(images) != len(labels):
        expected = f"{len(images)} labels, one for each image in {image_path.name}"
        raise damaged(label_path, "byte 4", expected, str(len(labels)))
    check_labels(label_path, labels, len(classes), lambda i: f"byte {8 + i}")
    targets = torch.from_numpy(labels.astype(np.int64))
    return ImageSet(unit_images([images[:, None]]), targets, classes)


def _size(data: ImageSet) -> str:
    return " x ".join(map(str, data.shape[1:]))
