"""Spoken words as the spikes of a model of the ear: SHD (digits) and SSC (commands), in HDF5."""

__all__ = ["load_shd", "load_ssc"]

import functools
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .event_set import EventSet, Recording, file_key
from .events import make_events
from .files import Layout, Source, check_labels, damaged, find
from .images import Split

SENSOR = (1, 1, 700)
PUBLISHED = "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/"
SHD = Source(
    "shd",
    (
        Layout(
            ("shd_train.h5", "shd_test.h5"),
            ("SHD", "shd", "extract", "events_h5", "."),
            packed=False,
        ),
    ),
    PUBLISHED,
    archives=tuple(f"shd_{part}.h5.{end}" for part in ("train", "test") for end in ("gz", "zip")),
)
SSC = Source(
    "ssc",
    (
        Layout(
            ("ssc_train.h5", "ssc_test.h5", "ssc_valid.h5"),
            ("SSC", "ssc", "extract", "events_h5", "."),
            packed=False,
        ),
    ),
    PUBLISHED,
    archives=tuple(
        f"ssc_{part}.h5.{end}" for part in ("train", "test", "valid") for end in ("gz", "zip")
    ),
)
N_DIGITS, N_COMMANDS = 20, 35


def load_shd(data_dir: str | os.PathLike[str] | None) -> Split[EventSet]:
    """Load Spiking Heidelberg Digits, [1, 1, 700], split as published: 8156 and 2264 recordings.

    Two of the twelve speakers are heard in the test alone. Times are 16-bit floating-point
    seconds in the file and become the nearest microsecond; above a second they are 1 ms apart.

    Arguments:
        data_dir: Folder with `shd_train.h5` and `shd_test.h5`, unpacked, or with `SHD`
            (tonic) or `events_h5` (SpikingJelly) that has them.

    Raises:
        FileNotFoundError: the files are not there.
        DataError: a file is damaged.
        ImportError: h5py is not installed or does not import.

    References:
        | The Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks
          (Cramer et al., 2020)
        | https://doi.org/10.1109/TNNLS.2020.3044364
    """
    _, (train, test) = find(SHD, data_dir)
    return Split(_read(train, N_DIGITS), _read(test, N_DIGITS))


def load_ssc(data_dir: str | os.PathLike[str] | None) -> Split[EventSet]:
    """Load Spiking Speech Commands, [1, 1, 700], split as published: to train, validate and test.

    Arguments:
        data_dir: Folder with `ssc_train.h5`, `ssc_valid.h5` and `ssc_test.h5`, unpacked, or
            with `SSC` (tonic) or `events_h5` (SpikingJelly) that has them.

    Raises:
        FileNotFoundError: the files are not there.
        DataError: a file is damaged.
        ImportError: h5py is not installed or does not import.

    References:
        | The Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks
          (Cramer et al., 2020)
        | https://doi.org/10.1109/TNNLS.2020.3044364
    """
    _, (train, test, valid) = find(SSC, data_dir)
    return Split(*(_read(path, N_COMMANDS) for path in (train, test, valid)))


def _read(path: Path, n_classes: int) -> EventSet:
    try:
        with _h5py().File(path) as file:
            labels = np.asarray(file["labels"]).astype(np.int64)
            lengths = {len(file["spikes"][name]) for name in ("times", "units")}
            classes = _names(file, n_classes)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    if lengths != {len(labels)}:
        expected = f"{len(labels)} recordings, one for each label"
        raise damaged(path, "'spikes'", expected, str(sorted(lengths)))
    check_labels(path, labels, n_classes, lambda i: f"'labels', item {i}")
    recordings = [
        Recording(partial(_read_spikes, path, i), partial(file_key, path, i))
        for i in range(len(labels))
    ]
    return EventSet(recordings, torch.from_numpy(labels), classes, SENSOR)


def _names(file: Any, n_classes: int) -> tuple[str, ...]:
    """The words that a file names, or numbers where it names none."""
    keys = np.asarray(file["extra"]["keys"]) if "keys" in file.get("extra", ()) else np.zeros(0)
    if len(keys) != n_classes:
        return tuple(map(str, range(n_classes)))
    return tuple(key.decode() if isinstance(key, bytes) else str(key) for key in keys.tolist())


def _read_spikes(path: Path, index: int) -> np.ndarray:
    try:
        spikes = _opened(path, os.getpid())["spikes"]
        times, units = (np.asarray(spikes[name][index]) for name in ("times", "units"))
        if len(times) != len(units):
            raise ValueError(f"recording {index} has {len(times)} times and {len(units)} units")
        microseconds = np.rint(times.astype(np.float64) * 1e6).astype(np.int64)
        order = np.argsort(microseconds, kind="stable")
        return make_events(microseconds[order], units[order])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


@functools.lru_cache(maxsize=8)
def _opened(path: Path, process: int) -> Any:
    """A file opened by this process: what a fork inherits is not safe to read."""
    return _h5py().File(path)


def _damaged(path: Path, error: Exception) -> Exception:
    reason = " ".join(str(error).split())
    cut_off = "truncated file" in reason and path.is_file()
    place = f"byte {path.stat().st_size}, its end" if cut_off else "its content"
    return damaged(path, place, "HDF5 with spikes/times, spikes/units, labels", reason)


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"SHD and SSC are HDF5 files, and h5py does not import here ({error}): pip install "
            "'spikeframe[hdf5]'"
        ) from error
    return h5py
