"""CIFAR10-DVS: CIFAR-10's images moved before a DVS128 camera."""

__all__ = ["load_cifar10_dvs"]

import os

from .aedat import read_aedat2
from .cifar import CLASSES
from .class_folders import read_class_folders
from .event_set import EventSet
from .files import Layout, Source, find
from .images import Split
from .recording import read_npz
from .stratified import first_of_each_class, stratified

FOLDERS = ("CIFAR10DVS", "cifar10-dvs", "extract", "events_np", ".")
CIFAR10_DVS = Source(
    "cifar10-dvs",
    (Layout(tuple(f"{name}/" for name in CLASSES), FOLDERS),),
    "https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671",
    archives=tuple(f"{name}.zip" for name in CLASSES),
)
SENSOR = (2, 128, 128)
READERS = {".aedat": read_aedat2, ".npz": read_npz}
TEST_SHARE = 0.1


def load_cifar10_dvs(
    data_dir: str | os.PathLike[str] | None, *, split: str = "random", seed: int = 0
) -> Split[EventSet]:
    """Load CIFAR10-DVS, [2, 128, 128], 10000 recordings: 9000 to train, 1000 to test.

    The data set is published in one part. Of each class a tenth is the test.

    Arguments:
        data_dir: Folder with one folder per class of `.aedat` files as they are unpacked, or
            with `CIFAR10DVS` or `extract` (SpikingJelly) that has them, or with SpikingJelly's
            `events_np`.
        split: `'random'` takes the tenth by chance; `'first'` takes recordings 0 to 99 of each
            class, as many papers do. Accuracies on the two do not compare: the first ones are
            easier.
        seed: Seed of the random split.

    Raises:
        ValueError: split is neither of the two.
        FileNotFoundError: the folders are not there, or one of a class is empty.
        DataError: (when a recording is read) it is damaged, or is tonic's AEDAT 4.

    References:
        | CIFAR10-DVS: An Event-Stream Dataset for Object Classification (Li et al., 2017)
        | https://doi.org/10.3389/fnins.2017.00309
    """
    if split not in ("random", "first"):
        raise ValueError(f"split must be 'random' or 'first', got {split!r}")
    _, (first, *_) = find(CIFAR10_DVS, data_dir)
    every = read_class_folders(first.parent, CLASSES, SENSOR, READERS)
    if split == "first":
        train, test = first_of_each_class(every.labels, TEST_SHARE)
    else:
        train, test = stratified(every.labels, TEST_SHARE, seed)
    return Split(every.take(train), every.take(test))
