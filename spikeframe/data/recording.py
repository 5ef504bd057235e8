"""One recording in a file of any known format, told by its first bytes and its name."""

__all__ = ["FORMATS", "read_events", "read_npy", "read_npz", "stream_events"]

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .aedat import is_aedat2, is_aedat31, stream_aedat2, stream_aedat31
from .atis import stream_atis
from .events import as_events, make_events
from .files import DataError, damaged, unpacked
from .stream import LONGEST, in_order

FORMATS = (
    "an ATIS .bin (N-MNIST), an AEDAT 2.0 (CIFAR10-DVS) or 3.1 (DVS Gesture), an .npz of t, x, y "
    "and p (SpikingJelly's), or an .npy of events or of columns x, y, p, t in milliseconds "
    "(tonic's DVS Gesture)"
)
LONGEST_MAGIC = 16


def read_events(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a whole recording, in the order of time.

    Arguments:
        path: A file of N-MNIST, CIFAR10-DVS or DVS Gesture as published, also packed by gzip,
            or of SpikingJelly's or tonic's prepared ones (.npz, .npy).

    Raises:
        DataError: the file is of no such format, cannot be read, or is damaged.
        FileNotFoundError: there is no such file.
    """
    return in_order(stream_events(path))


def stream_events(path: str | os.PathLike[str], longest: int = LONGEST) -> Iterator[np.ndarray]:
    """Read a recording in parts, in the order of the file: the memory holds one of them.

    Arguments:
        path: What :func:`read_events` takes; .npz and .npy come in one part.
        longest: Events in a part, about.

    Raises:
        DataError: the file is of no such format, cannot be read, or is damaged.
        FileNotFoundError: there is no such file.
    """
    file = Path(path).expanduser()
    if not file.exists():
        raise FileNotFoundError(f"there is no file {file}")
    with unpacked(file) as stream:
        start = stream.read(LONGEST_MAGIC)
    name = file.name.removesuffix(".gz").lower()
    if is_aedat2(start):
        return stream_aedat2(file, longest)
    if is_aedat31(start):
        return stream_aedat31(file, longest)
    if name.endswith(".bin"):
        return stream_atis(file, longest)
    if name.endswith(".npz"):
        return iter([read_npz(file)])
    if name.endswith(".npy"):
        return iter([read_npy(file)])
    raise DataError(f"{file} is not a recording that is read here, which are {FORMATS}")


def read_npz(path: Path) -> np.ndarray:
    """Read the events that SpikingJelly keeps as t, x, y and p in an .npz file.

    Raises:
        DataError: the file is damaged, or has no such entries.
    """
    try:
        # numpy leaves a file open that it cannot read; what is read first it cannot.
        with np.load(io.BytesIO(path.read_bytes())) as content:
            fields: dict[str, Any] = {name: content[name] for name in "txyp"}
        if len(lengths := {values.shape for values in fields.values()}) > 1:
            raise ValueError(f"entries of different shapes {sorted(lengths)}")
        order = np.argsort(fields["t"], kind="stable")
        return as_events({name: values[order] for name, values in fields.items()})
    except (OSError, KeyError, TypeError, ValueError, IndexError, zipfile.BadZipFile) as error:
        expected = "an .npz with the events' t, x, y and p"
        raise damaged(path, "its entries", expected, str(error)) from error


def read_npy(path: Path) -> np.ndarray:
    """Read events from an .npy file, or the columns x, y, p, t (ms) of tonic's DVS Gesture.

    Raises:
        DataError: the file is damaged, or holds neither.
    """
    try:
        content = np.load(io.BytesIO(path.read_bytes()))
        if content.dtype.names is not None:
            return as_events(content[np.argsort(content["t"], kind="stable")])
        columns = content[np.argsort(content[:, 3], kind="stable")].T
        if not np.isfinite(columns).all():
            raise ValueError("nan or inf")
        x, y, p, t = columns
        return make_events(*(np.rint(v).astype(np.int64) for v in (t * 1000, x, y, p)))
    except (OSError, EOFError, IndexError, TypeError, ValueError) as error:
        expected = "events, or columns x, y, p, t"
        raise damaged(path, "its array", expected, str(error)) from error
