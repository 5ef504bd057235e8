"""Builds C++ once per source, compiler and machine, and keeps the result for the user."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["BuildError", "cache_folder", "compiler", "load"]

FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC", "-fopenmp"),
    # One rounding per operation, as eager torch does; errno and traps would keep SIMD away.
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)
SECONDS = 120


class BuildError(RuntimeError):
    """There is no kernel; its text says why."""


@functools.cache
def compiler() -> str | None:
    """The C++ compiler: $CXX, or g++; None where there is none."""
    return shutil.which(os.environ.get("CXX") or "g++")


def cache_folder() -> Path:
    """Where kernels are kept: $SPIKEFRAME_CACHE, or spikeframe in the user's cache folder.

    Raises:
        BuildError: The folder belongs to someone else: loading a library is running its code.
    """
    home = os.environ.get("SPIKEFRAME_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) if home else Path(base) / "spikeframe"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.getuid():
            raise BuildError(f"the kernel cache {folder} belongs to another user")
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} is not writable")
    except OSError:
        return _session_folder()
    return folder


@functools.cache
def _session_folder() -> Path:
    """For this process alone, where the user's folder cannot be written."""
    return Path(tempfile.mkdtemp(prefix="spikeframe-"))


@functools.cache
def load(source: str) -> ctypes.CDLL:
    """The library built from a source, from the cache where it is there.

    Raises:
        BuildError: There is no compiler, or it fails.
    """
    path = _path(source)
    if not path.exists():
        _build(source, path)
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        # A file cut short by a full disk or a killed copy: once more from the source.
        _build(source, path)
        return ctypes.CDLL(str(path))


def _path(source: str) -> Path:
    key = "\n".join((source, *FLAGS, *_machine()))
    return cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.so"


@functools.cache
def _machine() -> tuple[str, ...]:
    """What a binary depends on: the compiler, and the processor that -march=native means."""
    found = compiler()
    if found is None:
        raise BuildError("no C++ compiler: install g++, or name one in the variable CXX")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    features = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return found, version.stdout, platform.machine(), features


def _build(source: str, path: Path) -> None:
    """Compile beside the target and rename, so that nobody loads half a library."""
    found = compiler()
    if found is None:
        raise BuildError("no C++ compiler: install g++, or name one in the variable CXX")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="build-") as folder:
        code, library = Path(folder) / "kernel.cpp", Path(folder) / "kernel.so"
        code.write_text(source)
        command = [found, *FLAGS, str(code), "-o", str(library)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"{found} does not run: {error}") from error
        if done.returncode != 0:
            tail = done.stderr.strip().splitlines()[:5]
            raise BuildError(f"{found} failed with code {done.returncode}: {' | '.join(tail)}")
        os.replace(library, path)
