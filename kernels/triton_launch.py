"""Loads the Triton of a program and launches it on a CUDA device."""

import functools
import hashlib
import inspect
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .layout import Layout
from .program import Program
from .triton_source import CONSTANTS, source

__all__ = [
    "ACCESS",
    "OPTIONS",
    "Launch",
    "Shape",
    "compile_only",
    "compiled",
    "launch",
    "load",
    "probe",
    "shape_of",
    "text_of",
]

# Bytes that a thread reads or writes at once.
ACCESS = 16

OPTIONS = {
    # One rounding per operation, as eager torch does.
    "enable_fp_fusion": False,
    # Subnormal numbers stay what they are.
    "enable_reflect_ftz": False,
}

# With so many threads on each processor, they hide the memory's latency from each other: 16
# bytes each is what a device of 4 TB/s and 800 ns needs under way. Computed, not measured.
ENOUGH = 512

PROBE = """
def probe(found_ptr):
    tl.store(found_ptr, 1.0)
"""


@dataclass(frozen=True)
class Shape:
    """How a kernel is cut into programs.

    Arguments:
        block: Neurons of a program.
        warps: Warps of a program.
        ahead: How many steps ahead inputs are fetched.
    """

    block: int
    warps: int
    ahead: int

    @property
    def options(self) -> dict[str, Any]:
        """How Triton is to compile it."""
        return {"num_warps": self.warps, **OPTIONS}


@dataclass(frozen=True)
class Launch:
    """One run of a kernel.

    Arguments:
        program: The program.
        kinds: The kinds of its parameters.
        name: Its half, "forward" or "backward".
        layout: How everything lies.
        arguments: Of the kernel, by name, but for its constants.
        unit: Neurons by which all distances are counted: those of one access, or 1 where rows
            begin anywhere.
    """

    program: Program
    kinds: tuple[str, ...]
    name: str
    layout: Layout
    arguments: dict[str, Any]
    unit: int

    def constants(self, block: int) -> dict[str, Any]:
        """The kernel's constants for so many neurons of a program."""
        import triton.language as tl

        wide = self.layout.size + block > torch.iinfo(torch.int32).max
        return {"UNIT": self.unit, "BLOCK": block, "INDEX": tl.int64 if wide else tl.int32}

    def programs(self, block: int) -> tuple[int]:
        """The grid for so many neurons of a program."""
        return (-(-self.layout.size // block),)


def launch(run: Launch) -> None:
    """Run a kernel on its device, on torch's current stream."""
    device = run.layout.device
    shape = shape_of(run.layout, _processors(device))
    with torch.cuda.device(device):
        compiled(run, shape.ahead)[run.programs(shape.block)](
            **run.arguments, **run.constants(shape.block), **shape.options
        )


def compile_only(run: Launch, index: int) -> None:
    """Compile a kernel for a device."""
    shape = shape_of(run.layout, _processors(torch.device("cuda", index)))
    with torch.cuda.device(index):
        compiled(run, shape.ahead).warmup(
            grid=(1,), **run.arguments, **run.constants(shape.block), **shape.options
        )


def probe(index: int) -> None:
    """Compile and run the smallest kernel on a device; raises what Triton raises."""
    import triton

    with torch.cuda.device(index):
        found = torch.zeros(1, device="cuda")
        triton.jit(load(PROBE, triton.jit)["probe"])[(1,)](found, **OPTIONS)
        if found.item() != 1.0:
            raise RuntimeError("a kernel that stores 1 stored something else")


def compiled(run: Launch, ahead: int) -> Any:
    """The kernel that Triton compiles as it is launched.

    Arguments:
        run: The kernel and its arguments.
        ahead: How many steps ahead inputs are fetched.
    """
    return _compiled(
        run.program, run.kinds, run.layout.dtype, ahead, run.name, aligned=run.unit > 1
    )


def shape_of(layout: Layout, processors: int) -> Shape:
    """The shape in which a device of so many processors runs a kernel.

    A thread takes as many neurons as one access holds. Where that leaves too few threads to hide
    the memory's latency from each other, each takes one neuron and fetches further ahead.
    """
    neurons = ACCESS // layout.dtype.itemsize
    if layout.size // neurons >= ENOUGH * processors:
        return Shape(block=4 * 32 * neurons, warps=4, ahead=1)
    return Shape(block=2 * 32, warps=2, ahead=4)


@functools.cache
def text_of(program: Program, kinds: tuple[str, ...], dtype: torch.dtype, ahead: int) -> str:
    """The source of a program, which fetches inputs so many steps ahead."""
    return source(program, kinds, str(dtype).removeprefix("torch."), ahead)


def load(text: str, jit: Callable[[Any], Any]) -> dict[str, Any]:
    """What a source defines.

    Triton reads the text of its functions, which linecache has: so no file is needed, which
    another user or a full disk might spoil.
    """
    import triton.language as tl

    name = f"spikeframe_triton_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    path = f"<{name}>"
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    namespace: dict[str, Any] = {"__name__": name, "jit": jit, "tl": tl}
    exec(compile(text, path, "exec"), namespace)
    return namespace


@functools.cache
def _processors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count


@functools.cache
def _compiled(
    program: Program,
    kinds: tuple[str, ...],
    dtype: torch.dtype,
    ahead: int,
    name: str,
    aligned: bool,
) -> Any:
    import triton

    function = load(text_of(program, kinds, dtype, ahead), triton.jit)[name]
    # Triton would compile anew for each kind of number and of address, but for these it needs not.
    free = [
        key
        for key, argument in inspect.signature(function).parameters.items()
        if key not in CONSTANTS
        and (argument.annotation is not inspect.Parameter.empty or key[0] == "p" or not aligned)
    ]
    # A profiler shows this name.
    return triton.jit(function, do_not_specialize=free, repr=lambda _: f"spikeframe_{name}")
