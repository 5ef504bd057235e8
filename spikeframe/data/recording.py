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
NPZ_MAGIC, NPY_MAGIC = b"PK\x03\x04", b"\x93NUMPY"


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
    raise DataError(
        f"{file} is not a recording that is read here, which are {FORMATS}; SHD's and SSC's .h5 "
        "hold whole data sets, for load_shd and load_ssc"
    )


def read_npz(path: Path) -> np.ndarray:
    """Read the events that SpikingJelly keeps as t, x, y and p in an .npz file.

    Raises:
        DataError: the file is damaged, or has no such entries.
    """
    expected = "an .npz with the events' t, x, y and p"
    content = _content(path, NPZ_MAGIC, expected)
    try:
        with np.load(io.BytesIO(content)) as entries:
            fields: dict[str, Any] = {name: entries[name] for name in "txyp"}
        if len(lengths := {values.shape for values in fields.values()}) > 1:
            raise ValueError(f"entries of different shapes {sorted(lengths)}")
        order = np.argsort(fields["t"], kind="stable")
        return as_events({name: values[order] for name, values in fields.items()})
    except (KeyError, TypeError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise damaged(path, _place(content, "its entries", error), expected, str(error)) from error


def read_npy(path: Path) -> np.ndarray:
    """Read events from an .npy file, or the columns x, y, p, t (ms) of tonic's DVS Gesture.

    Raises:
        DataError: the file is damaged, or holds neither.
    """
    expected = "an .npy of events, or of columns x, y, p, t"
    content = _content(path, NPY_MAGIC, expected)
    try:
        array = np.load(io.BytesIO(content))
        if array.dtype.names is not None:
            return as_events(array[np.argsort(array["t"], kind="stable")])
        columns = array[np.argsort(array[:, 3], kind="stable")].T
        if not np.isfinite(columns).all():
            raise ValueError("nan or inf")
        x, y, p, t = columns
        return make_events(*(np.rint(v).astype(np.int64) for v in (t * 1000, x, y, p)))
    except (IndexError, TypeError, ValueError) as error:
        raise damaged(path, _place(content, "its array", error), expected, str(error)) from error


def _content(path: Path, magic: bytes, expected: str) -> bytes:
    """The whole file: numpy leaves one open that it cannot read, and takes others for pickles."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not content.startswith(magic):
        found = repr(content[: len(magic)]) if content else "an empty file"
        raise damaged(path, "byte 0", expected, found)
    return content


def _place(content: bytes, inside: str, error: Exception) -> str:
    """Where the damage is: at the file's end where it is cut off, which numpy and zipfile tell."""
    cut_off = str(error).startswith(("EOF", "File is not a zip file"))
    return f"byte {len(content)}, its end" if cut_off else inside
