"""What the time of a pass is measured against: a copy of memory, and a loop written by hand."""

import ctypes
import functools
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["HandWritten", "copies", "hand_written"]

SOURCE = Path(__file__).with_name("hand_written.cpp")
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
    *(["-mprefer-vector-width=512"] if platform.machine() in ("x86_64", "AMD64") else []),
)
TAU, THRESHOLD, ALPHA = 2.0, 1.0, 2.0

# Neurons of a piece, of which the loop takes whole ones.
PIECE = 64


class HandWritten:
    """The passes of a LIF layer, without autograd; tensors are made anew, as for the others."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def copy(self, x: Tensor, y: Tensor) -> None:
        """Copy past the caches."""
        self._library.copy(_at(x), _at(y), ctypes.c_int64(x.numel()))

    def inference(self, x: Tensor) -> Tensor:
        """Spikes."""
        spikes, last = torch.empty_like(x), torch.empty_like(x[0])
        self._call("inference", x, x, spikes, last)
        return spikes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes, and what a backward reads."""
        spikes, saved, last = torch.empty_like(x), torch.empty_like(x), torch.empty_like(x[0])
        self._call("forward", x, x, spikes, saved, last)
        return spikes, saved

    def backward(self, saved: Tensor, grad: Tensor) -> Tensor:
        """The gradient of the input."""
        found = torch.empty_like(saved)
        self._call("backward", saved, saved, grad, found, numbers=(TAU, THRESHOLD, ALPHA))
        return found

    def _call(
        self, name: str, like: Tensor, *tensors: Tensor, numbers: tuple[float, ...] = ()
    ) -> None:
        steps, size = like.shape[0], like[0].numel()
        getattr(self._library, name)(
            *map(_at, tensors),
            *map(ctypes.c_int64, (steps, size)),
            *map(ctypes.c_float, numbers or (TAU, THRESHOLD)),
        )


@functools.cache
def hand_written() -> HandWritten | None:
    """The loop, built by the compiler that builds the kernels; None where there is none."""
    words = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    if shutil.which(words[0]) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "hand_written.so"
        subprocess.run([*words, *FLAGS, str(SOURCE), "-o", str(library)], check=True)
        return HandWritten(ctypes.CDLL(str(library)))


def copies(x: Tensor, room: Tensor) -> dict[str, object]:
    """Ways to copy a tensor, of which the fastest tells the bandwidth."""
    found: dict[str, object] = {"copy": lambda: room.copy_(x)}
    written = hand_written() if x.device.type == "cpu" and x.dtype == torch.float32 else None
    if written is not None and x.numel() % PIECE == 0:
        found["copy past the caches"] = lambda: written.copy(x, room)
    return found


def _at(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())
