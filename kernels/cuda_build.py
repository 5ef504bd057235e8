"""Keeps compiled CUDA kernels for the user: each is compiled once per source and architecture."""

import functools
import hashlib
import os
import tempfile
from pathlib import Path

from . import nvrtc
from .build import cache_folder, publish

__all__ = ["binary"]


def binary(source: str, capability: tuple[int, int]) -> Path:
    """The file with the compiled source, from the cache where it is there.

    Arguments:
        source: CUDA C++.
        capability: The device's compute capability.

    Raises:
        BuildError: There is no compiler, it fails, or the cache is not to be trusted.
    """
    target = nvrtc.target(capability)
    text = "\n".join((source, target, *nvrtc.OPTIONS, *map(str, nvrtc.version())))
    key, suffix = _digest(text.encode()), ".cubin" if target.startswith("sm_") else ".ptx"
    found = _cached(key, suffix)
    if found is not None:
        return found
    data = nvrtc.compile_cuda(source, target).binary
    own = Path(_folder().name) / f"{key}-{_digest(data)}{suffix}"
    own.write_bytes(data)
    publish(own, cache_folder(), own.name)
    return _cached(key, suffix) or own


def _cached(key: str, suffix: str) -> Path | None:
    """The whole file of this user's in the cache, if there is one; its name vouches for it."""
    folder = cache_folder()
    for path in sorted(folder.glob(f"{key}-*{suffix}")):
        try:
            owners = {folder.stat().st_uid, path.stat().st_uid}
            data = path.read_bytes()
        except OSError:
            continue
        if owners == {os.getuid()} and path.stem == f"{key}-{_digest(data)}":
            return path
    return None


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Where this process keeps what it cannot put into the cache; gone when it ends."""
    return tempfile.TemporaryDirectory(prefix="spikeframe-")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
