"""Files of a data set: where they may lie, their content, and the words for missing and damaged.

Nothing is ever downloaded. Gzip is recognised by its first two bytes and not by the file's name:
browsers unpack files and keep `.gz`, and no format that is read here starts with these bytes.
"""

__all__ = [
    "DataError",
    "Layout",
    "Source",
    "check_labels",
    "damaged",
    "find",
    "read_content",
    "unpacked",
]

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 20


class DataError(ValueError):
    """A data file is there, but it is not what its name and header say.

    Example:
        >>> from spikeframe.data import DataError
        >>> issubclass(DataError, ValueError)
        True
    """


@dataclass(frozen=True)
class Layout:
    """What lies together in one of some folders, given relative to the data folder.

    Arguments:
        files: Names of files; one that ends with `/` is a folder.
        folders: Where they may lie.
        packed: Whether a file may be packed by gzip, with `.gz` behind its name.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    packed: bool = True


@dataclass(frozen=True)
class Source:
    """A published data set.

    Arguments:
        name: Its name here.
        layouts: Where its files may lie, in the order of search.
        published: Where to get it.
        archives: Names under which it is published and which must be unpacked first.
    """

    name: str
    layouts: tuple[Layout, ...]
    published: str
    archives: tuple[str, ...] = ()


def find(
    source: Source, data_dir: str | os.PathLike[str] | None
) -> tuple[Layout, tuple[Path, ...]]:
    """Find the first folder that holds every file of a layout, plain or as `.gz` if it may be.

    Raises:
        FileNotFoundError: no folder holds them all; the text lists names, folders and origin.
    """
    if data_dir is None:
        raise FileNotFoundError(
            f"{source.name} is read from files, but data_dir (--data-dir) was not given: put "
            f"{', '.join(source.layouts[0].files)} into a folder; {_origin(source)}"
        )
    root = Path(data_dir).expanduser()
    for layout in source.layouts:
        for folder in layout.folders:
            paths = _present(root / folder, layout)
            if len(paths) == len(layout.files):
                return layout, paths
    raise FileNotFoundError(_missing(source, root))


@contextmanager
def unpacked(path: Path) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """Open a file, unpacking gzip, and word what goes wrong while it is read.

    Raises:
        DataError: the file cannot be read, or its gzip stream is cut off or wrong.
    """
    try:
        with _open(path) as stream:
            try:
                yield stream
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                place = f"byte {stream.tell()} of the unpacked content"
                raise damaged(path, place, "a whole gzip stream", str(error)) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def read_content(path: Path) -> bytearray:
    """Read a whole file, unpacked if it is a gzip file; raises what `unpacked` raises."""
    content = bytearray()
    with unpacked(path) as stream:
        while chunk := stream.read1(CHUNK):
            content += chunk
    return content


def damaged(file: Path | str, place: str, expected: str, found: str) -> DataError:
    """Word the one error for a damaged file: which file, where, what was expected and found."""
    return DataError(f"{file} is damaged: at {place}, expected {expected}, found {found}")


def check_labels(
    file: Path | str, labels: np.ndarray, n_classes: int, place: Callable[[int], str]
) -> None:
    """Raise for the first label outside `range(n_classes)`; `place` words where item i lies."""
    wrong = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if wrong.size:
        first = int(wrong[0])
        expected = f"a label from 0 to {n_classes - 1}"
        raise damaged(file, place(first), expected, str(labels[first]))


def _open(path: Path) -> io.BufferedReader | gzip.GzipFile:
    with open(path, "rb") as stream:
        packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return gzip.open(path) if packed else open(path, "rb")


def _present(folder: Path, layout: Layout) -> tuple[Path, ...]:
    """Return the path of each file that is there, plain before packed."""
    found = (_path(folder, file, layout.packed) for file in layout.files)
    return tuple(path for path in found if path is not None)


def _path(folder: Path, file: str, packed: bool) -> Path | None:
    # os.path.isfile is False for a folder that may not be entered; Path.is_file raises.
    if file.endswith("/"):
        return folder / file if os.path.isdir(folder / file) else None
    candidates = (folder / file, folder / f"{file}.gz") if packed else (folder / file,)
    return next(filter(os.path.isfile, candidates), None)


def _missing(source: Source, root: Path) -> str:
    looked = "; ".join(
        f"{', '.join(layout.files)}{_or_packed(layout)} in "
        f"{' or '.join(str(root / folder) for folder in layout.folders)}"
        for layout in source.layouts
    )
    found = f"{_gaps(source, root)}{_archives(source, root)}"
    return f"{source.name} was not found: looked for {looked}{found}; {_origin(source)}"


def _or_packed(layout: Layout) -> str:
    files = any(not file.endswith("/") for file in layout.files)
    return " (plain or .gz)" if layout.packed and files else ""


def _gaps(source: Source, root: Path) -> str:
    """Say which files a folder lacks that holds some of them: a half-finished download."""
    gaps = []
    for layout in source.layouts:
        for folder in (root / folder for folder in layout.folders):
            missing = [f for f in layout.files if _path(folder, f, layout.packed) is None]
            if len(missing) < len(layout.files):
                gaps.append(f"{folder} has only some of them, it lacks {', '.join(missing)}")
    return "".join(f"; {gap}" for gap in dict.fromkeys(gaps))


def _archives(source: Source, root: Path) -> str:
    """Say which archives are there: what is in them must be unpacked first."""
    folders = dict.fromkeys(folder for layout in source.layouts for folder in layout.folders)
    candidates = (root / folder / name for folder in folders for name in source.archives)
    return "".join(
        f"; {path} must be unpacked first" for path in filter(os.path.isfile, candidates)
    )


def _origin(source: Source) -> str:
    return f"published at {source.published} (nothing is downloaded for you)"
