"""Runs a program as CUDA C++, launched through CuPy on torch's current stream."""

import ctypes
import functools
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from .build import BuildError
from .cuda_build import binary
from .cuda_source import divisors, source, widest
from .layout import Layout
from .program import Program

__all__ = ["THREADS", "backward", "forward", "load", "prepare", "why_not"]

# Threads of a block: small blocks leave little of the device idle at the end.
THREADS = 128

# An access of a thread is of so many bytes at most, and must lie at a multiple of them.
ACCESS = 16

OLDEST_CUPY = 13

INSTALL = "pip install 'spikeframe[cupy]' (or cupy-cuda12x for CUDA 12)"

Parameters = Sequence[Tensor | float]
Argument = int | float | np.float32

# Calls a kernel with a number of blocks and its arguments.
Launch = Callable[[int, Sequence[Argument]], None]
Load = Callable[[str, str, torch.device], Launch]


@functools.cache
def load(source: str, name: str, device: torch.device) -> Launch:
    """The kernel of this name in a source, on a device.

    Raises:
        BuildError: It cannot be compiled.
    """
    import cupy

    path = binary(source, torch.cuda.get_device_capability(device))
    with cupy.cuda.Device(device.index):
        kernel = cupy.RawModule(path=str(path)).get_function(name)

    def launch(blocks: int, arguments: Sequence[Argument]) -> None:
        # CuPy has a current device and stream of its own; a module is loaded on one device.
        stream = torch.cuda.current_stream(device).cuda_stream
        with (
            cupy.cuda.Device(device.index),
            cupy.cuda.ExternalStream(stream, device.index),
        ):
            kernel((blocks,), (THREADS,), tuple(arguments))

    return launch


def forward(
    program: Program,
    layout: Layout,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Parameters,
    load: Load = load,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Outputs [T, N, \*], states after the last step, and saved values [T, N, \*]."""
    call = _Call(program, layout)
    for x_seq in x_seqs:
        call.read(layout.match(x_seq))
    new_states = [layout.step() for _ in states]
    for state, new in zip(states, new_states, strict=True):
        call.carry(layout.match_step(state), new)
    outputs = [layout.sequence() for _ in range(program.n_outputs)]
    saved = [layout.saved(kind) for kind in program.saved]
    for sequence in (*outputs, *saved):
        call.write(sequence)
    call.run("forward", parameters, load)
    return outputs, new_states, saved


def backward(
    program: Program,
    layout: Layout,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    parameters: Parameters,
    load: Load = load,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Cotangents of the inputs [T, N, \*], the first states, and (per neuron) the parameters."""
    call = _Call(program, layout)
    for grad in output_grads:
        call.read(None if grad is None else layout.match(grad))
    for kind, value in zip(program.saved, saved, strict=True):
        call.read(layout.match(value, torch.uint8 if kind == "bit" else None))
    for x_seq in x_seqs.values():
        call.read(layout.match(x_seq))
    first = [layout.step() for _ in state_grads]
    for grad, new in zip(state_grads, first, strict=True):
        call.carry(None if grad is None else layout.match_step(grad), new)
    x_grads = [layout.sequence() for _ in range(program.n_inputs)]
    for sequence in x_grads:
        call.write(sequence)
    totals = [layout.step() for _ in program.differentiated]
    call.run("backward", parameters, load, totals)
    return x_grads, first, totals


def why_not(device: torch.device) -> str | None:
    """Why CuPy cannot run kernels on a device, or None."""
    if device.type != "cuda":
        return f"CuPy kernels run on a CUDA device, not on {device.type}: net.to('cuda')"
    if sys.platform != "linux":
        return f"CuPy kernels are built on Linux, not on {sys.platform}: nobody tried there yet"
    if torch.version.cuda is None or not torch.cuda.is_available():
        return (
            f"torch {torch.__version__} sees no CUDA device: it takes NVIDIA's driver and a CUDA "
            "build of torch (https://pytorch.org/get-started)"
        )
    return why_not_here()


@functools.cache
def why_not_here() -> str | None:
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed: {INSTALL}"
    try:
        import cupy

        devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # it raises what its own libraries do, of several kinds
        return f"CuPy does not work ({type(error).__name__}: {error}): {INSTALL}"
    if int(cupy.__version__.split(".")[0]) < OLDEST_CUPY:
        return f"CuPy {cupy.__version__} is older than {OLDEST_CUPY}: {INSTALL}"
    if devices < torch.cuda.device_count():
        return f"CuPy sees {devices} devices, torch {torch.cuda.device_count()}: {INSTALL}"
    return None


def prepare(program: Program, dtype: torch.dtype, parameters: Parameters) -> str | None:
    """Compile what a call of a program needs; the reason where that fails, or None."""
    device = torch.device("cuda", torch.cuda.current_device())
    capability = torch.cuda.get_device_capability(device)
    return _prepared(program, _kinds(program, parameters, device), _storage(dtype), capability)


@functools.cache
def _prepared(
    program: Program, kinds: tuple[str, ...], storage: str, capability: tuple[int, int]
) -> str | None:
    names = ("forward",) if program.backward is None else ("forward", "backward")
    try:
        for name in names:
            width = widest(program, kinds, storage, name)
            binary(_source(program, kinds, storage, name, width), capability)
    except BuildError as error:
        return str(error)
    return None


_source = functools.cache(source)


class _Call:
    """Collects the arguments in the order in which the source names them."""

    def __init__(self, program: Program, layout: Layout) -> None:
        self._program, self._layout = program, layout
        self._arguments: list[Argument] = [layout.steps, layout.size]
        # The most neurons of a thread: powers of two, as many as lie whole in every step.
        self._width = layout.size & -layout.size
        self._alive: list[Tensor] = []

    def read(self, sequence: Tensor | None) -> None:
        """A sequence: where it lies, and how far apart its steps are; null for zeros."""
        self._add(sequence)
        if sequence is None:
            self._arguments.append(0)
            return
        stride = sequence.stride(0)
        self._arguments.append(stride)
        self._align(stride * sequence.itemsize, sequence.itemsize)

    def carry(self, first: Tensor | None, last: Tensor) -> None:
        """A state before the first step (null for 0) and after the last."""
        self._add(first)
        self._add(last)

    def write(self, sequence: Tensor) -> None:
        """A new sequence, its steps one after another."""
        self._add(sequence)

    def run(
        self, name: str, parameters: Parameters, load: Load, totals: Sequence[Tensor] = ()
    ) -> None:
        """Launch the kernel; its totals come after the parameters."""
        layout = self._layout
        kinds = _kinds(self._program, parameters, layout.device)
        for parameter, kind in zip(parameters, kinds, strict=True):
            self._parameter(parameter, kind)
        for total in totals:
            self._add(total)
        if layout.size == 0:
            return
        storage = _storage(layout.dtype)
        width = min(self._width, widest(self._program, kinds, storage, name))
        text = _source(self._program, kinds, storage, name, width)
        blocks = -(-layout.size // (width * THREADS))
        load(text, name, layout.device)(blocks, self._arguments)

    def _parameter(self, parameter: Tensor | float, kind: str) -> None:
        if kind == "many" or kind == "one":
            values, inner, size = self._layout.index(parameter)  # type: ignore[arg-type]
            self._alive.append(values)
            self._arguments.append(values.data_ptr())
            self._arguments += (inner, size) if kind == "many" else ()
            return
        number = float(parameter)
        if self._layout.precision == torch.float64:
            self._arguments.append(number)
        else:  # rounded as C does: numpy would warn of what becomes infinite
            self._arguments.append(np.float32(ctypes.c_float(number).value))

    def _add(self, tensor: Tensor | None) -> None:
        if tensor is None:
            self._arguments.append(0)
            return
        address = tensor.data_ptr()
        self._arguments.append(address)
        self._align(address, tensor.itemsize)
        self._alive.append(tensor)

    def _align(self, place: int, itemsize: int) -> None:
        """Rows begin at an address, or at this distance of one another."""
        if place % ACCESS:
            self._width = min(self._width, (place & -place) // itemsize)


def _storage(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _kinds(program: Program, parameters: Parameters, device: torch.device) -> tuple[str, ...]:
    by = divisors(program)
    return tuple([_kind(p, i in by, device) for i, p in enumerate(parameters)])


def _kind(parameter: Tensor | float, divides: bool, device: torch.device) -> str:
    """How a parameter is passed; to read a number from a device would wait for the device."""
    if isinstance(parameter, Tensor):
        if parameter.numel() > 1:
            return "many"
        if parameter.device.type == device.type:
            return "one"
    return "power" if divides and _is_power_of_two(float(parameter)) else "number"


def _is_power_of_two(number: float) -> bool:
    """Whether its inverse is exact, in the range of float32."""
    fraction, exponent = math.frexp(number)
    return abs(fraction) == 0.5 and abs(exponent) < 100
