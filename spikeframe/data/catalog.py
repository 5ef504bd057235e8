"""The image data sets by name."""

__all__ = ["IMAGE_SETS", "load_images"]

import os
from collections.abc import Callable

from .cifar import load_cifar10
from .digits import load_digits
from .idx import load_fashion_mnist, load_mnist
from .images import Split

PUBLISHED: dict[str, Callable[[str | os.PathLike[str] | None], Split]] = {
    "mnist": load_mnist,
    "fashion-mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
}
IMAGE_SETS = ("digits", *PUBLISHED)


def load_images(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    split: str = "random",
    seed: int = 0,
) -> Split:
    """Load a data set of labelled images by its name. Nothing is ever downloaded.

    Arguments:
        name: `'digits'`, `'mnist'`, `'fashion-mnist'` or `'cifar10'`.
        data_dir: Folder with the files as published; `'digits'` come with scikit-learn instead.
        split: How `'digits'` are divided: `'random'` or `'writers'`. The other sets are
            published in two parts and stay so; they know no writers.
        seed: Seed of the random split.

    Raises:
        ValueError: name or split is unknown, or does not go with the other arguments.
        FileNotFoundError: files are missing; the text says which, where, and who publishes them.
        DataError: a file is damaged; the text says which, where, what was expected and found.
        ImportError: scikit-learn, needed for `'digits'`, does not import.

    Example:
        >>> load_images("digits").train
        ImageSet(1437 images [1, 8, 8], 10 classes)
    """
    if name not in IMAGE_SETS:
        names = ", ".join(map(repr, IMAGE_SETS))
        raise ValueError(f"the data set must be one of {names}, got {name!r}")
    if name == "digits":
        if data_dir is not None:
            raise ValueError(
                f"'digits' come with scikit-learn and are read from no folder, got {data_dir}: "
                f"leave it out, or name the data set that lies there"
            )
        return load_digits(split=split, seed=seed)
    if split != "random":
        raise ValueError(
            f"{name!r} is published in a training and a test part and is not split again, "
            f"got split={split!r}: leave split out"
        )
    return PUBLISHED[name](data_dir)
