"""Products with a sparse left side, run by a kernel where that is cheaper than the dense one."""

import ctypes
import functools
import struct
from collections.abc import Callable

import torch
from torch import Tensor

from . import cpp
from .build import BuildError, load
from .event_source import source
from .threads import threads

__all__ = ["density", "is_ready", "most_dense", "run_times", "times", "transposed_times"]

# Densities up to which the kernel is faster, by benchmarks/event_linear.py and with a margin: of
# products of at least so many rows (a few rows read all of a dense right side, and dense products
# use the caches best with some tens of them), and of transposed products.
_MOST = ((256, 0.25), (64, 0.07), (16, 0.1), (2, 0.2), (0, 0.5))
MOST_TRANSPOSED = 0.15

# Multiplications that make another thread worth waking.
SMALLEST_SHARE = 2**20

# Rows that are looked at to tell how many nonzeros there are.
SEEN = 32

_PACK = struct.Struct("6qd4q").pack
_DONE = 1

Kernel = Callable[[bytes], int]


def is_ready(dtype: torch.dtype) -> bool:
    """Whether there is a kernel for a dtype; it is built when it is asked for first."""
    return dtype in (torch.float32, torch.float64) and _kernels(dtype) is not None


def density(x: Tensor) -> float:
    """The share of nonzeros in some rows of a matrix, evenly spread."""
    seen = x[:: -(-x.shape[0] // SEEN)]
    return int(torch.count_nonzero(seen)) / max(1, seen.numel())


def most_dense(rows: int) -> float:
    """The density up to which the kernel is the faster one for so many rows."""
    return next(most for least, most in _MOST if rows >= least)


def times(x: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """``x @ right + bias``, or None where the dense product is faster.

    A zero of x selects nothing, also where ``right`` is inf or nan. Autograd sees nothing of it.

    Arguments:
        x: [M, K], its rows dense; of one dtype, a ready one, with all others, on the CPU.
        right: [K, N], its rows dense.
        bias: [N], dense, or None.
    """
    (rows, inner), columns = x.shape, right.shape[1]
    out = x.new_empty(rows, columns)
    strides = x.stride(0), right.stride(0)
    done = run_times(rows, inner, columns, strides, x, right, bias, out)
    return out if done else None


def run_times(
    rows: int,
    inner: int,
    columns: int,
    strides: tuple[int, int],
    x: Tensor,
    right: Tensor,
    bias: Tensor | None,
    out: Tensor,
) -> bool:
    """What :func:`times` does, on memory laid out as these sizes say, into ``out``."""
    most, found = most_dense(rows), _kernels(x.dtype)
    if found is None or rows * inner * columns == 0:
        return False
    share = min(rows, threads(int(rows * inner * columns * most) // SMALLEST_SHARE))
    pointer = 0 if bias is None else bias.data_ptr()
    pointers = x.data_ptr(), right.data_ptr(), pointer, out.data_ptr()
    return found[0](_PACK(rows, inner, columns, *strides, share, most, *pointers)) == _DONE


def transposed_times(x: Tensor, right: Tensor) -> Tensor | None:
    """``x.T @ right`` [K, N], or None where the dense product is faster.

    Arguments:
        x: [M, K], as for :func:`times`.
        right: [M, N], its rows dense.
    """
    (rows, inner), columns = x.shape, right.shape[1]
    out, found = x.new_empty(inner, columns), _kernels(x.dtype)
    if found is None or rows * inner * columns == 0:
        return None
    most = MOST_TRANSPOSED
    share = min(inner, threads(int(rows * inner * columns * most) // SMALLEST_SHARE))
    sizes = rows, inner, columns, x.stride(0), right.stride(0), share
    pointers = x.data_ptr(), right.data_ptr(), 0, out.data_ptr()
    return out if found[1](_PACK(*sizes, most, *pointers)) == _DONE else None


@functools.cache
def _kernels(dtype: torch.dtype) -> tuple[Kernel, Kernel] | None:
    if cpp.why_not(torch.device("cpu")) is not None:
        return None
    try:
        library = load(source(str(dtype).removeprefix("torch.")))
    except BuildError:
        return None
    for function in (library.times, library.transposed_times):
        function.argtypes, function.restype = [ctypes.c_char_p], ctypes.c_int
    return library.times, library.transposed_times
