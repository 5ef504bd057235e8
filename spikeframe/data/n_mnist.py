"""N-MNIST: MNIST's digits before a moving ATIS camera."""

__all__ = ["load_n_mnist"]

import os

from .atis import read_atis
from .class_folders import read_class_folders
from .event_set import EventSet
from .files import Layout, Source, find
from .images import Split
from .recording import read_npz

FOLDERS = ("N-MNIST", "NMNIST", "n-mnist", "extract", ".")
N_MNIST = Source(
    "n-mnist",
    (
        Layout(("Train/", "Test/"), FOLDERS),
        # SpikingJelly's prepared ones.
        Layout(("train/", "test/"), tuple(f"{folder}/events_np" for folder in FOLDERS)),
    ),
    "https://www.garrickorchard.com/datasets/n-mnist and "
    "https://data.mendeley.com/datasets/468j46mzdv",
    archives=("Train.zip", "Test.zip", "train.zip", "test.zip"),
)
CLASSES = tuple("0123456789")
SENSOR = (2, 34, 34)
READERS = {".bin": read_atis, ".npz": read_npz}


def load_n_mnist(data_dir: str | os.PathLike[str] | None) -> Split[EventSet]:
    """Load N-MNIST, [2, 34, 34], split as published: 60000 recordings to train, 10000 to test.

    Arguments:
        data_dir: Folder with `Train` and `Test` as they are unpacked, or with `N-MNIST`,
            `NMNIST` (tonic) or `extract` (SpikingJelly) that has them; or with SpikingJelly's
            `events_np`.

    Raises:
        FileNotFoundError: the folders are not there, or one of a class is empty.
        DataError: (when a recording is read) it is damaged.

    References:
        | Converting Static Image Datasets to Spiking Neuromorphic Datasets Using Saccades
          (Orchard et al., 2015)
        | https://arxiv.org/abs/1507.07629
    """
    _, (train, test) = find(N_MNIST, data_dir)
    return Split(
        read_class_folders(train, CLASSES, SENSOR, READERS),
        read_class_folders(test, CLASSES, SENSOR, READERS),
    )
