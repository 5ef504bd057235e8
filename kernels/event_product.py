"""Products with a sparse left side, run by a kernel where that is cheaper than the dense one."""

import ctypes
import struct
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from . import cpp
from .build import BuildError, load
from .event_source import source
from .threads import threads

__all__ = ["DTYPES", "density", "most_dense", "run_times", "times", "transposed_times"]

# Densities up to which a product is faster by its kernel, with a margin: see most_dense.
_MOST = ((1024, 0.35), (256, 0.28), (16, 0.12), (2, 0.25), (0, 0.5))
_MOST_TRANSPOSED, _FEWEST_TRANSPOSED = 0.18, 64
_FEWEST_COLUMNS = 40

DTYPES = (torch.float32, torch.float64)

# Multiplications that make another thread worth waking.
SMALLEST_SHARE = 2**20

_PACK = struct.Struct("6qd4q").pack
_DONE = 1

# Rows that are looked at before there is a kernel, which looks at as many.
_SEEN = 32

Sizes = tuple[int, int, int]


class _Kernels(NamedTuple):
    times: Callable[[bytes], int]
    transposed_times: Callable[[bytes], int]
    share: Callable[[bytes], float]


BUILT: dict[torch.dtype, _Kernels | None] = {}


def most_dense(rows: int, columns: int) -> float:
    """The density up to which the kernel of ``x @ right`` is faster.

    A single row reads all of a dense right side, where the kernel reads what it needs; for tens of
    rows the dense product reads it once, in its own order. Collecting nonzeros costs as much as
    some tens of columns. Measured by benchmarks/event_linear.py.
    """
    most = next(most for least, most in _MOST if rows >= least)
    return most * (1 - _FEWEST_COLUMNS / columns)


def density(x: Tensor) -> float:
    """The share of nonzeros of a matrix, by some of its rows, evenly spread.

    Arguments:
        x: [M, K], its rows dense, of one of :data:`DTYPES`, on the CPU.
    """
    found = BUILT.get(x.dtype)
    if found is None:
        # Only what is sparse is worth building a kernel for.
        seen = x[:: -(-x.shape[0] // _SEEN)]
        return int(torch.count_nonzero(seen)) / seen.numel()
    return found.share(_PACK(*x.shape, 0, x.stride(0), 0, 1, 0.0, x.data_ptr(), 0, 0, 0))


def times(
    x: Tensor, right: Tensor, bias: Tensor | None = None, most: float | None = None
) -> Tensor | None:
    """``x @ right + bias``, or None where the dense product is faster or there is no kernel.

    A zero of x selects nothing, also where ``right`` is inf or nan. Autograd sees nothing of it.

    Arguments:
        x: [M, K], its rows dense; of one dtype, a ready one, with all others, on the CPU.
        right: [K, N], its rows dense.
        bias: [N], dense, or None.
        most: The density up to which the kernel runs; :func:`most_dense` by default.
    """
    (rows, inner), columns = x.shape, right.shape[1]
    out = x.new_empty(rows, columns)
    strides = x.stride(0), right.stride(0)
    most = most_dense(rows, columns) if most is None else most
    done = run_times((rows, inner, columns), strides, x, right, bias, out, most)
    return out if done else None


def run_times(
    sizes: Sizes,
    strides: tuple[int, int],
    x: Tensor,
    right: Tensor,
    bias: Tensor | None,
    out: Tensor,
    most: float,
) -> bool:
    """What :func:`times` does, into ``out``, of memory that lies as M, K, N and strides say."""
    (rows, inner, columns), found = sizes, _kernels(x.dtype)
    if found is None or rows * inner * columns == 0:
        return False
    share = threads(min(rows, int(rows * inner * columns * most) // SMALLEST_SHARE))
    pointer = 0 if bias is None else bias.data_ptr()
    pointers = x.data_ptr(), right.data_ptr(), pointer, out.data_ptr()
    return found.times(_PACK(*sizes, *strides, share, most, *pointers)) == _DONE


def transposed_times(x: Tensor, right: Tensor, most: float | None = None) -> Tensor | None:
    """``x.T @ right`` [K, N], or None where the dense product is faster or there is no kernel.

    Arguments:
        x: [M, K], as for :func:`times`.
        right: [M, N], its rows dense.
        most: The density up to which the kernel runs; by default, that up to which it is faster.
    """
    (rows, inner), columns = x.shape, right.shape[1]
    out, found = x.new_empty(inner, columns), _kernels(x.dtype)
    if found is None or rows * inner * columns == 0:
        return None
    if most is None:
        most = _most_dense_transposed(rows, columns)
    share = threads(min(inner, int(rows * inner * columns * most) // SMALLEST_SHARE))
    sizes = rows, inner, columns, x.stride(0), right.stride(0), share
    pointers = x.data_ptr(), right.data_ptr(), 0, out.data_ptr()
    return out if found.transposed_times(_PACK(*sizes, most, *pointers)) == _DONE else None


def _most_dense_transposed(rows: int, columns: int) -> float:
    """What :func:`most_dense` is for ``x.T @ right``: of few rows, most of it is zeros."""
    if rows < _FEWEST_TRANSPOSED:
        return 0.0
    return _MOST_TRANSPOSED * (1 - _FEWEST_COLUMNS / columns)


def _kernels(dtype: torch.dtype) -> _Kernels | None:
    if dtype not in BUILT:
        BUILT[dtype] = _build(dtype)
    return BUILT[dtype]


def _build(dtype: torch.dtype) -> _Kernels | None:
    if cpp.why_not(torch.device("cpu")) is not None:
        return None
    try:
        library = load(source(str(dtype).removeprefix("torch.")))
    except BuildError:
        return None
    for function in (library.times, library.transposed_times, library.share):
        function.argtypes, function.restype = [ctypes.c_char_p], ctypes.c_int
    library.share.restype = ctypes.c_double
    return _Kernels(library.times, library.transposed_times, library.share)
