"""CIFAR-10 from its binary version, its Python version, or either archive as published."""

__all__ = ["load_cifar10"]

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from .files import CHUNK, Layout, Source, check_labels, damaged, find, read_content, unpacked
from .images import ImageSet, Split, unit_images
from .pickles import PickledArray, read_pickle

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # the label, then the red, the green and the blue plane

BINARIES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
PICKLES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
BINARY = Layout(BINARIES, ("cifar-10-batches-bin", "cifar10", "."))
PYTHON = Layout(PICKLES, ("cifar-10-batches-py", "cifar10", "."))
# Searched as x.tar and as x.tar.gz, like every file plain and packed.
BINARY_ARCHIVE = Layout(("cifar-10-binary.tar",), ("cifar10", "."))
PYTHON_ARCHIVE = Layout(("cifar-10-python.tar",), ("cifar10", "."))
CIFAR10 = Source(
    "cifar10",
    (BINARY, PYTHON, BINARY_ARCHIVE, PYTHON_ARCHIVE),
    "https://www.cs.toronto.edu/~kriz/cifar.html",
)
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

Batch = tuple[np.ndarray, np.ndarray]  # images uint8 [n, 3, 32, 32], labels [n]


def load_cifar10(data_dir: str | os.PathLike[str] | None) -> Split[ImageSet]:
    """Load CIFAR-10, [3, 32, 32], split as published: 50000 images to train, 10000 to test.

    Pickles are read by an unpickler that knows arrays, lists and strings and nothing else.
    Archives are read where they are; unpacked files start faster.

    Arguments:
        data_dir: Folder with the six batch files, with `cifar-10-batches-bin` or
            `cifar-10-batches-py` that has them, or with `cifar-10-binary.tar.gz` or
            `cifar-10-python.tar.gz`; also found in its folder `cifar10`.

    Raises:
        FileNotFoundError: none of these is there in full.
        DataError: a file is damaged, or a pickle asks for more than arrays.

    References:
        | Learning Multiple Layers of Features from Tiny Images (Krizhevsky, 2009)
        | https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
    """
    layout, paths = find(CIFAR10, data_dir)
    parse = _parse_records if layout in (BINARY, BINARY_ARCHIVE) else _parse_pickle
    if layout in (BINARY, PYTHON):
        batches = {str(path): parse(path, read_content(path)) for path in paths}
    else:
        names = BINARIES if layout is BINARY_ARCHIVE else PICKLES
        members = _read_members(paths[0], names)
        batches = {file: parse(file, content) for file, content in members.items()}
    _check_lengths(batches)
    *train, test = batches.values()
    return Split(_join(train), _join([test]))


def _parse_records(file: Path | str, content: bytes | bytearray) -> Batch:
    rest = len(content) % RECORD
    if rest or not content:
        place = f"byte {len(content) - rest}"
        expected = f"a record of {RECORD} bytes"
        raise damaged(file, place, expected, f"{rest} bytes, {len(content)} in all")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    check_labels(file, labels, len(CLASSES), lambda i: f"byte {i * RECORD}")
    return records[:, 1:].reshape(-1, *SHAPE), labels


def _parse_pickle(file: Path | str, content: bytes | bytearray) -> Batch:
    batch = _mapping(file, content)
    images = _pickled_images(file, _entry(file, batch, "data"))
    labels = _pickled_labels(file, _entry(file, batch, "labels"))
    if len(images) != len(labels):
        expected = f"{len(images)} labels, one for each image"
        raise damaged(file, "entry 'labels'", expected, str(len(labels)))
    check_labels(file, labels, len(CLASSES), lambda i: f"entry 'labels', item {i}")
    return images, labels


def _mapping(file: Path | str, content: bytes | bytearray) -> dict[object, object]:
    loaded = read_pickle(file, content)
    if not isinstance(loaded, dict):
        raise damaged(file, "the top", "a dict with 'data' and 'labels'", type(loaded).__name__)
    return loaded


def _entry(file: Path | str, batch: dict[object, object], key: str) -> object:
    """Read an entry under a text key, which Python 2 wrote as bytes."""
    for name in (key, key.encode()):
        if name in batch:
            return batch[name]
    raise damaged(file, "the top", f"a dict with the entry {key!r}", f"{sorted(map(str, batch))}")


def _pickled_images(file: Path | str, data: object) -> np.ndarray:
    expected = f"an array of bytes [n, {RECORD - 1}]"
    if not isinstance(data, PickledArray):
        raise damaged(file, "entry 'data'", expected, type(data).__name__)
    try:
        images = data.to_numpy()
    except (TypeError, ValueError) as error:
        raise damaged(file, "entry 'data'", expected, str(error)) from error
    if images.ndim != 2 or images.shape[1] != RECORD - 1 or len(images) == 0:
        raise damaged(file, "entry 'data'", expected, f"one of shape {list(images.shape)}")
    return images.reshape(-1, *SHAPE)


def _pickled_labels(file: Path | str, labels: object) -> np.ndarray:
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise damaged(file, "entry 'labels'", "a list of whole numbers", type(labels).__name__)
    return np.array(labels)


def _read_members(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Read files of an archive in one pass and in the order of `names`, unpacking none to disk."""
    found: dict[str, bytes] = {}
    with unpacked(path) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                found.update(_wanted(archive, names))
        except tarfile.TarError as error:
            raise damaged(
                path, f"byte {stream.tell()}", "a whole tar archive", str(error)
            ) from error
        # The checksum of a gzip stream is compared at its end, which lies behind the tar's.
        while stream.read(CHUNK):
            pass
    if missing := [name for name in names if name not in found]:
        raise damaged(path, "its end", f"the members {', '.join(names)}", f"no {missing[0]}")
    return {f"{path}:{name}": found[name] for name in names}


def _wanted(archive: tarfile.TarFile, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        name = PurePosixPath(member.name).name
        if name in names and member.isfile() and (stream := archive.extractfile(member)):
            yield name, stream.read()


def _check_lengths(batches: dict[str, Batch]) -> None:
    """A file that was cut between two images reads well: only its neighbours tell."""
    (first, (images, _)), *others = list(batches.items())[:-1]
    for file, (part, _) in others:
        if len(part) != len(images):
            expected = f"{len(images)} images as in {first}"
            raise damaged(file, "its end", expected, str(len(part)))


def _join(batches: list[Batch]) -> ImageSet:
    labels = np.concatenate([labels for _, labels in batches]).astype(np.int64)
    images = unit_images([images for images, _ in batches])
    return ImageSet(images, torch.from_numpy(labels), CLASSES)
