"""DVS128 Gesture: 11 gestures of 29 people before a DVS128 camera."""

__all__ = ["load_dvs_gesture"]

import functools
import os
from functools import partial
from pathlib import Path

import numpy as np
import torch

from .aedat import read_aedat31
from .class_folders import read_class_folders
from .event_set import EventSet, Recording, file_key
from .files import Layout, Source, check_labels, damaged, find
from .images import Split
from .recording import read_npy, read_npz

FOLDERS = ("DvsGesture", "extract/DvsGesture", "DVS128Gesture", "DVSGesture", "dvs-gesture", ".")
PUBLISHED = Layout(("trials_to_train.txt", "trials_to_test.txt"), FOLDERS, packed=False)
TONIC = Layout(("ibmGestureTrain/", "ibmGestureTest/"), FOLDERS)
SPIKINGJELLY = Layout(("train/", "test/"), tuple(f"{folder}/events_np" for folder in FOLDERS))
DVS_GESTURE = Source(
    "dvs-gesture",
    (PUBLISHED, TONIC, SPIKINGJELLY),
    "https://research.ibm.com/interactive/dvsgesture",
    archives=("DvsGesture.tar.gz", "ibmGestureTrain.tar.gz", "ibmGestureTest.tar.gz"),
)
CLASSES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)
SENSOR = (2, 128, 128)
HEADER = "class,startTime_usec,endTime_usec"


def load_dvs_gesture(data_dir: str | os.PathLike[str] | None) -> Split[EventSet]:
    """Load DVS128 Gesture, [2, 128, 128], split as published: 23 people to train, 6 to test.

    As published a file holds all gestures of a person, and is read whole for each of them; the
    last file read is kept, so recordings are read fastest one after the other.

    Arguments:
        data_dir: Folder with the `.aedat` files, their `_labels.csv` and the lists
            `trials_to_train.txt` and `trials_to_test.txt`, or with `DvsGesture` or
            `extract/DvsGesture` (SpikingJelly) that has them; or with SpikingJelly's `events_np`
            or with tonic's `ibmGestureTrain` and `ibmGestureTest`.

    Raises:
        FileNotFoundError: the files are not there.
        DataError: a list or a file of labels is damaged, or (when it is read) a recording.

    References:
        | A Low Power, Fully Event-Based Gesture Recognition System (Amir et al., 2017)
        | https://openaccess.thecvf.com/content_cvpr_2017/html/Amir_A_Low_Power_CVPR_2017_paper.html
    """
    layout, (train, test) = find(DVS_GESTURE, data_dir)
    read = {PUBLISHED: _read_trials, TONIC: _read_tonic, SPIKINGJELLY: _read_spikingjelly}[layout]
    return Split(read(train), read(test))


def _read_trials(trials: Path) -> EventSet:
    """The gestures of the people in a list of .aedat files."""
    recordings: list[Recording] = []
    labels: list[int] = []
    for name in trials.read_text().split():
        path = trials.parent / name
        table = path.with_name(f"{path.stem}_labels.csv")
        for missing in (file for file in (path, table) if not file.is_file()):
            raise FileNotFoundError(f"{missing} is not there, which {trials} asks for")
        for label, start, stop in _read_labels(table):
            recordings.append(
                Recording(
                    partial(_read_gesture, path, int(start), int(stop)),
                    partial(file_key, path, start, stop),
                )
            )
            labels.append(int(label) - 1)
    if not recordings:
        raise damaged(trials, "its lines", "names of .aedat files", "none")
    return EventSet(recordings, torch.tensor(labels), CLASSES, SENSOR)


def _read_labels(table: Path) -> np.ndarray:
    """Class from 1, start and end in microseconds of each gesture, [n, 3]."""
    header, *lines = table.read_text().split() or [""]
    if header != HEADER:
        raise damaged(table, "line 1", repr(HEADER), repr(header))
    try:
        rows = np.array([[int(word) for word in line.split(",")] for line in lines])
        rows = rows.reshape(len(lines), 3)
    except ValueError as error:
        raise damaged(table, "its lines", "three whole numbers each", str(error)) from error
    for i, (label, *_) in enumerate(rows.tolist()):
        if not 1 <= label <= len(CLASSES):
            expected = f"a class from 1 to {len(CLASSES)}"
            raise damaged(table, f"line {i + 2}", expected, str(label))
    return rows


def _read_gesture(path: Path, start: int, stop: int) -> np.ndarray:
    events = _read_file(path, file_key(path))
    first, last = np.searchsorted(events["t"], (start, stop))
    return events[first:last].copy()


@functools.lru_cache(maxsize=1)
def _read_file(path: Path, key: str) -> np.ndarray:
    return read_aedat31(path)


def _read_tonic(folder: Path) -> EventSet:
    """A folder per person and light, a file per class: 0.npy, 1.npy, ..."""
    files = sorted(folder.glob("*/*.npy"), key=lambda file: (file.parent.name, int(file.stem)))
    if not files:
        raise FileNotFoundError(f"{folder} holds no recording (.npy): unpack the data set anew")
    labels = np.array([int(file.stem) for file in files])
    check_labels(folder, labels, len(CLASSES), lambda i: str(files[i]))
    recordings = [Recording(partial(read_npy, file), partial(file_key, file)) for file in files]
    return EventSet(recordings, torch.from_numpy(labels), CLASSES, SENSOR)


def _read_spikingjelly(folder: Path) -> EventSet:
    names = tuple(map(str, range(len(CLASSES))))
    return read_class_folders(folder, CLASSES, SENSOR, {".npz": read_npz}, names=names)
