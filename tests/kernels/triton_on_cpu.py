"""Runs Triton kernels without a device, by Triton's interpreter: slow, to test them."""

import contextlib
import functools
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from spikeframe.kernels.program import Program
from spikeframe.kernels.triton_launch import Launch, load, text_of

__all__ = ["interpret"]

# The interpreter's time is per program and step, whatever the size.
LARGEST = 65536


def interpret(run: Launch, ahead: int = 1, largest: int = LARGEST) -> None:
    """Run a kernel on CPU tensors.

    Arguments:
        run: The kernel and its arguments.
        ahead: How many steps ahead inputs are fetched.
        largest: Most neurons of a program.
    """
    block = min(largest, 1 << (run.layout.size - 1).bit_length())
    kernel = _interpreted(run.program, run.kinds, run.layout.dtype, ahead, run.name)
    with _as_on_a_device(), _only_within(run.arguments.values()):
        kernel[run.programs(block)](**run.arguments, **run.constants(block))


@functools.cache
def _interpreted(
    program: Program, kinds: tuple[str, ...], dtype: torch.dtype, ahead: int, name: str
) -> Any:
    from triton.runtime.interpreter import InterpretedFunction

    # The functions above a kernel stay plain ones: interpreted, it may call them as they are.
    namespace = load(text_of(program, kinds, dtype, ahead), lambda function: function)
    return InterpretedFunction(namespace[name])


@contextlib.contextmanager
def _as_on_a_device() -> Iterator[None]:
    """Convert bfloat16 rightly, as the interpreter does not, and be silent about nan."""
    import numpy as np
    from triton.runtime.interpreter import interpreter_builder

    interpreter_builder.create_fp_trunc, interpreter_builder.create_fp_ext = _narrow, _widen
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        del interpreter_builder.create_fp_trunc, interpreter_builder.create_fp_ext


def _narrow(source: Any, dtype: Any) -> Any:
    """A block as a narrower dtype, rounded to nearest even."""
    import numpy as np
    import triton.language as tl
    from triton.runtime.interpreter import TensorHandle, interpreter_builder

    if dtype.scalar != tl.bfloat16:
        return interpreter_builder.cast_impl(source, dtype)
    values = source.data.astype(np.float32)
    bits = values.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return TensorHandle(np.where(values == values, rounded, 0x7FC0).astype(np.uint16), tl.bfloat16)


def _widen(source: Any, dtype: Any) -> Any:
    """A block as a wider dtype, subnormal numbers too."""
    import numpy as np
    import triton.language as tl
    from triton.runtime.interpreter import TensorHandle, interpreter_builder

    if source.dtype.scalar == tl.bfloat16:
        wide = (source.data.astype(np.uint32) << 16).view(np.float32)
        source = TensorHandle(wide, tl.float32)
    return interpreter_builder.cast_impl(source, dtype)


@contextlib.contextmanager
def _only_within(arguments: Iterable[Any]) -> Iterator[None]:
    """Let a kernel load and store within its arguments alone: elsewhere a device may fault."""
    import numpy as np
    from triton.runtime.interpreter import interpreter_builder as builder

    tensors = sorted((a for a in arguments if torch.is_tensor(a)), key=torch.Tensor.data_ptr)
    begin = np.array([t.data_ptr() for t in tensors], dtype=np.uint64)
    length = [
        1 + sum((n - 1) * s for n, s in zip(t.shape, t.stride(), strict=True)) for t in tensors
    ]
    bytes_ = [n * t.itemsize for n, t in zip(length, tensors, strict=True)]
    end = np.maximum.accumulate(begin + np.array(bytes_, dtype=np.uint64))
    load, store = builder.create_masked_load, builder.create_masked_store

    def check(pointers: Any, mask: Any) -> None:
        width = pointers.get_element_ty().primitive_bitwidth // 8
        address = pointers.data[np.broadcast_to(mask.data, pointers.data.shape)]
        at = np.searchsorted(begin, address, side="right") - 1
        assert (at >= 0).all(), "an access before all arguments"
        assert (address + np.uint64(width) <= end[at]).all(), "an access behind an argument"

    def checked_load(pointers: Any, mask: Any, *rest: Any) -> Any:
        check(pointers, mask)
        return load(pointers, mask, *rest)

    def checked_store(pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        check(pointers, mask)
        return store(pointers, value, mask, *rest)

    builder.create_masked_load, builder.create_masked_store = checked_load, checked_store
    try:
        yield
    finally:
        del builder.create_masked_load, builder.create_masked_store
