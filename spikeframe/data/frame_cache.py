"""Frames kept on disk: whole files under names made of all that they depend on."""

__all__ = ["FrameCache"]

import hashlib
import io
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# A part of every name: another number where the frames of equal parameters would differ.
VERSION = 1


class FrameCache:
    """Tensors of counts by a key, in a folder that any number of processes may use at once.

    A file is written aside and renamed, so nobody meets half of one; one that is damaged all the
    same is made anew. Counts are kept as the smallest whole numbers that hold them.

    Arguments:
        folder: Where the files are; made when it is needed.

    Example:
        >>> import tempfile
        >>> cache = FrameCache(Path(tempfile.mkdtemp()))
        >>> cache.get("a key", lambda: torch.ones(2))
        tensor([1., 1.])
        >>> cache.get("a key", lambda: print("not asked again"))
        tensor([1., 1.])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: object, make: Callable[[], Tensor]) -> Tensor:
        """The tensor under a key, made and kept if it is not there yet.

        Arguments:
            key: What it depends on; equal ones have equal representations.
            make: Makes the tensor: counts, float32.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self.path(key)
        kept = _load(path)
        if kept is not None:
            return kept
        made = make()
        _store(path, made)
        return made

    def path(self, key: object) -> Path:
        """The file of a key; there are up to 256 folders of them."""
        name = hashlib.sha256(f"{VERSION} {key!r}".encode()).hexdigest()[:32]
        return self.folder / name[:2] / f"{name[2:]}.npy"


def _load(path: Path) -> Tensor | None:
    try:
        # The content first: numpy keeps no file open where it raises.
        return torch.from_numpy(np.load(io.BytesIO(path.read_bytes())).astype(np.float32))
    except (FileNotFoundError, EOFError, ValueError):
        return None


def _store(path: Path, frames: Tensor) -> None:
    largest = frames.max().item() if frames.numel() else 0
    fits = (kind for kind in (np.uint8, np.uint16) if largest <= np.iinfo(kind).max)
    content = io.BytesIO()
    np.save(content, frames.numpy().astype(next(fits, np.float32)))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        aside.write_bytes(content.getbuffer())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
