"""Data sets read from their published files: labelled images."""

from .adapt import from_dataset
from .catalog import IMAGE_SETS, load_images
from .cifar import load_cifar10
from .digits import load_digits
from .files import DataError
from .idx import load_fashion_mnist, load_mnist
from .images import ImageSet, Split

__all__ = [
    "IMAGE_SETS",
    "DataError",
    "ImageSet",
    "Split",
    "from_dataset",
    "load_cifar10",
    "load_digits",
    "load_fashion_mnist",
    "load_images",
    "load_mnist",
]
