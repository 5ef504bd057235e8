"""Compiles CUDA C++ by NVIDIA's NVRTC, which needs neither a device nor a driver.

CuPy would flush subnormal numbers to zero (it adds ``-ftz=true`` to whatever it compiles), so that
spikes would not be those of the CPU; hence NVRTC is asked directly.
"""

import ctypes
import functools
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from .build import BuildError

__all__ = [
    "OPTIONS",
    "Compiled",
    "architectures",
    "candidates",
    "compile_cuda",
    "loaded",
    "target",
    "version",
]

# One rounding per operation, exact division and square root, subnormal numbers kept.
OPTIONS = (
    *("--std=c++17", "--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true"),
    "--disable-warnings",
)

# Those that compile the kernels, the newest first.
MAJORS = (13, 12)

# What the compiler says of its error, at most.
LINES = 5


@dataclass(frozen=True)
class Compiled:
    """What came of a source.

    Arguments:
        binary: What a driver loads: machine code (cubin), or PTX for an architecture to come.
        ptx: The virtual machine's code.
        log: What the compiler said.
    """

    binary: bytes
    ptx: str
    log: str


def compile_cuda(source: str, target: str, options: Sequence[str] = ()) -> Compiled:
    """Compile CUDA C++.

    Arguments:
        source: The code; it includes nothing.
        target: What for, as ``target`` gives it.
        options: More options than OPTIONS.

    Raises:
        BuildError: There is no NVRTC, or it fails.
    """
    library, program = loaded(), ctypes.c_void_p()
    text = source.encode()
    _check(library.nvrtcCreateProgram(ctypes.byref(program), text, b"kernel.cu", 0, None, None))
    try:
        words = [word.encode() for word in (*OPTIONS, f"--gpu-architecture={target}", *options)]
        failed = library.nvrtcCompileProgram(
            program, len(words), (ctypes.c_char_p * len(words))(*words)
        )
        log = _text(program, "ProgramLog")
        if failed:
            said = " | ".join(log.strip().splitlines()[:LINES])
            raise BuildError(
                f"NVRTC {_version_text()} failed for {target}: {said or 'no message'}"
            )
        ptx = _text(program, "PTX")
        real = target.startswith("sm_")
        return Compiled(_bytes(program, "CUBIN") if real else ptx.encode(), ptx, log)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def target(capability: tuple[int, int]) -> str:
    """What to compile for on a device: its machine code, or PTX where it is newer than NVRTC.

    Raises:
        BuildError: There is no NVRTC, or the device is too old for it.
    """
    number, known = 10 * capability[0] + capability[1], architectures()
    if number in known:
        return f"sm_{number}"
    older = [other for other in known if other < number]
    if not older:
        raise BuildError(
            f"NVRTC {_version_text()} compiles for compute capability {min(known) / 10} and "
            f"newer, the device has {number / 10}: install torch for an older CUDA"
        )
    return f"compute_{max(older)}"


def version() -> tuple[int, int]:
    """NVRTC's version.

    Raises:
        BuildError: There is none.
    """
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(loaded().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return major.value, minor.value


def _version_text() -> str:
    return ".".join(map(str, version()))


@functools.cache
def architectures() -> tuple[int, ...]:
    """The compute capabilities that NVRTC knows, times 10."""
    library, count = loaded(), ctypes.c_int()
    _check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    found = (ctypes.c_int * count.value)()
    _check(library.nvrtcGetSupportedArchs(found))
    return tuple(found)


@functools.cache
def loaded() -> ctypes.CDLL:
    """The library of the Python packages of CUDA, which torch brings, or the system's."""
    for name in candidates():
        try:
            for part in _beside(Path(name)):
                ctypes.CDLL(str(part))
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        return library
    raise BuildError(
        "there is no NVRTC, NVIDIA's compiler (libnvrtc.so): pip install nvidia-cuda-nvrtc"
    )


def _beside(library: Path) -> list[Path]:
    """The second part of a library, which it looks for by name in the loader's folders alone."""
    return sorted(library.parent.glob("libnvrtc-builtins.so.*")) if library.is_absolute() else []


def candidates() -> Iterator[str]:
    """Files and names, first the CUDA version of torch, whose driver is there."""
    own = int((torch.version.cuda or "0").split(".")[0])
    spec = importlib.util.find_spec("nvidia")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    for major in sorted(MAJORS, key=lambda major: major != own):
        name = f"libnvrtc.so.{major}"
        for folder in folders:
            yield from map(str, sorted(Path(folder).glob(f"*/lib/{name}")))
        yield name


def _text(program: ctypes.c_void_p, what: str) -> str:
    return _bytes(program, what).rstrip(b"\0").decode(errors="replace")


def _bytes(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(_getter(what, "Size")(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(_getter(what, "")(program, buffer))
    return buffer.raw


def _getter(what: str, suffix: str) -> Callable[..., int]:
    return getattr(loaded(), f"nvrtcGet{what}{suffix}")


def _check(failed: int) -> None:
    if failed:
        raise BuildError(f"NVRTC failed: {loaded().nvrtcGetErrorString(failed).decode()}")
