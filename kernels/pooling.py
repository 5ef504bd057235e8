"""Max pools over windows that lie side by side, with channels last."""

import ctypes
import functools
import struct
import sys
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .build import BuildError, load
from .pages import in_large_pages
from .pooling_source import source
from .threads import threads
from .watched import is_plain, is_watched

__all__ = ["is_ready_for", "max_pool2d", "why_no_pool"]

# Fewer numbers are pooled as soon as they could be handed to a kernel.
FEWEST = 2**14
# Numbers that make another thread worth waking.
SMALLEST_SHARE = 2**16

_LAST = torch.channels_last
_DTYPES = (torch.float32, torch.float64)
_PACK = struct.Struct("8q").pack


def max_pool2d(x: Tensor, window: tuple[int, int]) -> Tensor:
    """``F.max_pool2d(x, window)``; on the CPU, with channels last, by a kernel of our own.

    Where several values of a window are the largest, as spikes are, the first of them takes the
    gradient, as in torch. A place is kept in one byte, not in eight.

    Arguments:
        x: The input [N, C, H, W].
        window: Its height and width; windows lie side by side.
    """
    if is_watched() or not is_ready_for(x, window):
        return F.max_pool2d(x, window)
    if torch.is_grad_enabled() and x.requires_grad:
        made: Tensor = _MaxPool.apply(x, window)
        return made
    return _pooled(x, window, None)


class _MaxPool(torch.autograd.Function):
    """The pool and its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: tuple[int, int]) -> Tensor:
        shape = _output_shape(x, window)
        places = torch.empty(shape, dtype=torch.uint8, memory_format=_LAST)
        ctx.save_for_backward(places)
        ctx.window, ctx.shape = window, x.shape
        return _pooled(x, window, places)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,), (places,) = grads, ctx.saved_tensors
        # What is to be differentiated again, or is a batch of gradients, is for torch's own.
        if torch.is_grad_enabled() or not is_plain(grad) or is_watched():
            indices = _indices(places, ctx.window, ctx.shape[3])
            size = list(ctx.shape)
            return F.max_unpool2d(grad, indices, ctx.window, ctx.window, output_size=size), None
        # Hooks on what is saved may have laid it out anew.
        grad, places = (value.contiguous(memory_format=_LAST) for value in (grad, places))
        x_grad = torch.empty(ctx.shape, dtype=grad.dtype, memory_format=_LAST)
        in_large_pages(x_grad)
        if any(size % side for size, side in zip(ctx.shape[2:], ctx.window, strict=True)):
            x_grad.zero_()  # what no window covers has no gradient
        pointers = grad.data_ptr(), places.data_ptr(), x_grad.data_ptr()
        _library(grad.dtype).spread(*pointers, _sizes(x_grad, ctx.window))
        return x_grad, None


def _pooled(x: Tensor, window: tuple[int, int], places: Tensor | None) -> Tensor:
    y = torch.empty(_output_shape(x, window), dtype=x.dtype, memory_format=_LAST)
    pointers = x.data_ptr(), y.data_ptr(), 0 if places is None else places.data_ptr()
    _library(x.dtype).pool(*pointers, _sizes(x, window))
    return y


def is_ready_for(x: Any, window: tuple[int, int]) -> bool:
    """Whether the kernel serves such a call."""
    if type(x) is not Tensor or x.dim() != 4 or x.dtype not in _DTYPES or x.numel() < FEWEST:
        return False
    height, width = window
    if not (0 < height <= x.shape[2] and 0 < width <= x.shape[3] and height * width <= 256):
        return False
    if x.is_contiguous() or not x.is_contiguous(memory_format=_LAST):
        return False
    return is_plain(x) and why_no_pool() is None


@functools.cache
def why_no_pool() -> str | None:
    """Why this cannot run on this machine's CPU, or None."""
    if sys.platform != "linux":
        return f"C++ kernels are built on Linux, not on {sys.platform}"
    try:
        for dtype in _DTYPES:
            _library(dtype)
    except BuildError as error:
        return str(error)
    return None


def _output_shape(x: Tensor, window: tuple[int, int]) -> tuple[int, ...]:
    n, channels, height, width = x.shape
    return n, channels, height // window[0], width // window[1]


def _sizes(x: Tensor, window: tuple[int, int]) -> bytes:
    n, channels, height, width = x.shape
    down, used = height // window[0], threads(x.numel() // SMALLEST_SHARE)
    return _PACK(n * down, down, height, width, channels, *window, used)


def _indices(places: Tensor, window: tuple[int, int], width: int) -> Tensor:
    """Where in an image of that width the places are, as torch counts."""
    place = places.long()
    down, across = (torch.arange(n) for n in places.shape[2:])
    rows = down[:, None] * window[0] + place // window[1]
    return rows * width + across * window[1] + place % window[1]


@functools.cache
def _library(dtype: torch.dtype) -> Any:
    library = load(source(str(dtype).removeprefix("torch.")))
    for name in ("pool", "spread"):
        function = getattr(library, name)
        function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_char_p]
        function.restype = None
    return library
