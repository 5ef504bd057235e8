"""The data sets by name: labelled images, and recordings of events."""

__all__ = ["EVENT_SETS", "IMAGE_SETS", "SPLITS", "load_events", "load_images"]

import os
from collections.abc import Callable

from .cifar import load_cifar10
from .cifar10_dvs import load_cifar10_dvs
from .digits import load_digits
from .event_digits import event_digits
from .event_set import EventSet
from .gesture import load_dvs_gesture
from .heidelberg import load_shd, load_ssc
from .idx import load_fashion_mnist, load_mnist
from .images import ImageSet, Split
from .n_mnist import load_n_mnist

PUBLISHED: dict[str, Callable[[str | os.PathLike[str] | None], Split[ImageSet]]] = {
    "mnist": load_mnist,
    "fashion-mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
}
RECORDED: dict[str, Callable[[str | os.PathLike[str] | None], Split[EventSet]]] = {
    "n-mnist": load_n_mnist,
    "dvs-gesture": load_dvs_gesture,
    "shd": load_shd,
    "ssc": load_ssc,
}
IMAGE_SETS = ("digits", *PUBLISHED)
EVENT_SETS = ("event-digits", "n-mnist", "dvs-gesture", "cifar10-dvs", "shd", "ssc")
SPLITS = {
    "digits": ("random", "writers"),
    "event-digits": ("random", "writers"),
    "cifar10-dvs": ("random", "first"),
}
"""The ways to divide the sets that are not published in two parts."""


def load_images(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    split: str = "random",
    seed: int = 0,
) -> Split[ImageSet]:
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
    _check_name(name, IMAGE_SETS)
    _check_split(name, split)
    if name == "digits":
        _check_embedded(name, data_dir)
        return load_digits(split=split, seed=seed)
    return PUBLISHED[name](data_dir)


def load_events(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    split: str = "random",
    seed: int = 0,
) -> Split[EventSet]:
    """Load a data set of recorded events by its name. Nothing is ever downloaded.

    Arguments:
        name: `'event-digits'`, `'n-mnist'`, `'dvs-gesture'`, `'cifar10-dvs'`, `'shd'` or
            `'ssc'`.
        data_dir: Folder with the files as they are unpacked, or as SpikingJelly or tonic prepare
            them; `'event-digits'` are made from digits that come with scikit-learn.
        split: How `'event-digits'` are divided, `'random'` or `'writers'`, or `'cifar10-dvs'`,
            `'random'` or `'first'`. The other sets stay as published.
        seed: Seed of the random split.

    Raises:
        ValueError: name or split is unknown, or does not go with the other arguments.
        FileNotFoundError: files are missing; the text says which, where, and who publishes them.
        DataError: a file is damaged; the text says which, where, what was expected and found.
        ImportError: scikit-learn (`'event-digits'`) or h5py (`'shd'`, `'ssc'`) does not import.

    Example:
        >>> load_events("event-digits").train
        EventSet(1437 recordings [2, 16, 16], 10 classes)
    """
    _check_name(name, EVENT_SETS)
    _check_split(name, split)
    if name == "event-digits":
        _check_embedded(name, data_dir)
        return event_digits(split=split, seed=seed)
    if name == "cifar10-dvs":
        return load_cifar10_dvs(data_dir, split=split, seed=seed)
    return RECORDED[name](data_dir)


def _check_name(name: str, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        names = ", ".join(map(repr, allowed))
        raise ValueError(f"the data set must be one of {names}, got {name!r}")


def _check_split(name: str, split: str) -> None:
    if name not in SPLITS and split != "random":
        raise ValueError(
            f"{name!r} is published in a training and a test part and is not split again, "
            f"got split={split!r}: leave split out"
        )


def _check_embedded(name: str, data_dir: str | os.PathLike[str] | None) -> None:
    if data_dir is not None:
        raise ValueError(
            f"{name!r} come with scikit-learn and are read from no folder, got {data_dir}: "
            f"leave it out, or name the data set that lies there"
        )
