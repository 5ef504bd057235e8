"""Builds C++ once per source, compiler and machine, and keeps the result for the user."""

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

__all__ = ["BuildError", "cache_folder", "compiler", "load", "publish"]

FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC", "-fopenmp"),
    # One rounding per operation, as eager torch does; errno and traps would keep SIMD away.
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
    # Where there are 512 bits, g++ takes 256 unasked; measured: 10 % slower.
    *(["-mprefer-vector-width=512"] if platform.machine() in ("x86_64", "AMD64") else []),
)

# A kernel takes a second; a compiler that takes this long hangs.
SECONDS = 120

# What a compiler says of its error, at most.
LINES = 5

LOADED: dict[str, "ctypes.CDLL | BuildError"] = {}


class BuildError(RuntimeError):
    """There is no kernel; its text says why."""


def load(source: str) -> ctypes.CDLL:
    """The library built from a source, from the cache where it is there.

    What came of a source is remembered for the process, a failure too: a compiler that fails
    is not asked again at every call.

    Raises:
        BuildError: There is no compiler, it fails, or the cache is not to be trusted.
    """
    key = cache_key(source)
    if key not in LOADED:
        try:
            LOADED[key] = _cached(key) or _built(source, key)
        except BuildError as error:
            LOADED[key] = error
        except OSError as error:
            LOADED[key] = BuildError(f"no kernel could be built: {error}")
    found = LOADED[key]
    if isinstance(found, BuildError):
        raise BuildError(str(found))
    return found


def compiler() -> tuple[str, ...]:
    """The command of the C++ compiler: $CXX, which may have arguments, or g++.

    Raises:
        BuildError: There is none.
    """
    words = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    found = shutil.which(words[0])
    if found is None:
        raise BuildError(
            f"there is no C++ compiler {words[0]!r}: install g++, or name one in the variable CXX"
        )
    return found, *words[1:]


def cache_folder() -> Path:
    """Where kernels are kept: $SPIKEFRAME_CACHE, or spikeframe in the user's cache folder."""
    home = os.environ.get("SPIKEFRAME_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) if home else Path(base) / "spikeframe"


def cache_key(source: str) -> str:
    """What a library depends on: source, compiler, and the processor of -march=native."""
    command = compiler()
    text = "\n".join((source, *FLAGS, *command, compiler_version(command), *_processor()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def compiler_version(command: tuple[str, ...]) -> str:
    try:
        done = _run([*command, "--version"])
    except OSError as error:
        raise BuildError(
            f"the C++ compiler {shlex.join(command)} does not run: {error}"
        ) from error
    return done.stdout


@functools.cache
def _processor() -> tuple[str, str]:
    features = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return platform.machine(), features


def _cached(key: str) -> ctypes.CDLL | None:
    """The library in the cache, if there is a whole one of this user's.

    Loading a library is running its code, so the folder must be the user's own.
    """
    path = cache_folder() / f"{key}.so"
    try:
        owners = {path.parent.stat().st_uid, path.stat().st_uid}
        data = path.read_bytes()
    except OSError:
        return None
    # A library cut short by a crash would bring the process down as it is loaded.
    if owners != {os.getuid()} or _sealed(data[:-32]) != data:
        return None
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        return None


def _built(source: str, key: str) -> ctypes.CDLL:
    """Build apart from the cache, so that nobody sees half a library, then put it there."""
    with tempfile.TemporaryDirectory(prefix="spikeframe-") as folder:
        library = _compile(source, Path(folder))
        library.write_bytes(_sealed(library.read_bytes()))
        publish(library, cache_folder(), f"{key}.so")
        try:
            return ctypes.CDLL(str(library))
        except OSError as error:
            raise BuildError(
                f"what {shlex.join(compiler())} built does not load: {error}"
            ) from error


def _sealed(data: bytes) -> bytes:
    """A library with its own checksum behind it, which the loader does not look at."""
    return data + hashlib.sha256(data).digest()


def publish(file: Path, folder: Path, name: str) -> None:
    """Put a file into the cache; without one (read-only, full) each process builds its own.

    Raises:
        BuildError: The folder belongs to someone else.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise BuildError(
                f"the kernel cache {folder} belongs to another user: name one of your own in "
                "the variable SPIKEFRAME_CACHE"
            )
        with tempfile.TemporaryDirectory(dir=folder, prefix="new-") as apart:
            copy = Path(shutil.copy(file, apart))
            os.replace(copy, folder / name)
    except OSError:
        return


def _compile(source: str, folder: Path) -> Path:
    code, library = folder / "kernel.cpp", folder / "kernel.so"
    code.write_text(source)
    command = compiler()
    name = shlex.join(command)
    try:
        done = _run([*command, *FLAGS, str(code), "-o", str(library)])
    except subprocess.TimeoutExpired:
        raise BuildError(f"{name} did not finish in {SECONDS} seconds") from None
    if done.returncode < 0:
        raise BuildError(f"{name} was killed by {signal.Signals(-done.returncode).name}")
    if done.returncode > 0:
        said = " | ".join(done.stderr.strip().splitlines()[:LINES])
        raise BuildError(f"{name} failed with code {done.returncode}: {said or 'no message'}")
    if not library.exists():
        raise BuildError(f"{name} wrote no library")
    return library


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command; stopped together with the processes it started when it takes too long."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)
