"""Runs a program as CUDA C++, launched through CuPy on torch's current stream."""

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .build import BuildError
from .cuda_arguments import Argument, Arguments, kinds_of
from .cuda_build import binary
from .cuda_source import source, widest
from .layout import Layout
from .program import Program

__all__ = ["THREADS", "backward", "forward", "load", "prepare", "prepared", "text_of", "why_not"]

# Threads of a block: small blocks leave little of the device idle at the end.
THREADS = 128

OLDEST_CUPY = 13

INSTALL = "pip install 'spikeframe[cupy]' (or cupy-cuda12x for CUDA 12)"

Parameters = Sequence[Tensor | float]

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
        with cupy.cuda.Device(device.index), _stream(cupy, device):
            kernel((blocks,), (THREADS,), tuple(arguments))

    return launch


def _stream(cupy: Any, device: torch.device) -> Any:
    """Torch's current stream, as CuPy's; from version 14 on ExternalStream warns."""
    stream = torch.cuda.current_stream(device)
    if hasattr(cupy.cuda.Stream, "from_external"):
        return cupy.cuda.Stream.from_external(stream)
    return cupy.cuda.ExternalStream(stream.cuda_stream, device.index)


def forward(
    program: Program,
    layout: Layout,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Parameters,
    load: Load = load,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Outputs [T, N, \*], states after the last step, and saved values [T, N, \*]."""
    call = Arguments(layout)
    for x_seq in x_seqs:
        call.read(layout.match(x_seq))
    new_states = [layout.step() for _ in states]
    for state, new in zip(states, new_states, strict=True):
        call.carry(layout.match_step(state), new)
    outputs = [layout.sequence() for _ in range(program.n_outputs)]
    saved = [layout.saved(kind) for kind in program.saved]
    for sequence in (*outputs, *saved):
        call.add(sequence)
    _launch(program, layout, "forward", call, parameters, load)
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
    call = Arguments(layout)
    for grad in output_grads:
        call.read(None if grad is None else layout.match(grad))
    for sequence in map(layout.match_saved, program.saved, saved):
        call.read(sequence)
    for x_seq in x_seqs.values():
        call.read(layout.match(x_seq))
    first = [layout.step() for _ in state_grads]
    for grad, new in zip(state_grads, first, strict=True):
        call.carry(None if grad is None else layout.match_step(grad), new)
    x_grads = [layout.sequence() for _ in range(program.n_inputs)]
    for sequence in x_grads:
        call.add(sequence)
    totals = [layout.step() for _ in program.differentiated]
    _launch(program, layout, "backward", call, parameters, load, totals)
    return x_grads, first, totals


def why_not(device: torch.device) -> str | None:
    """Why CuPy cannot run kernels on a device, or None."""
    if device.type != "cuda":
        return f"CuPy kernels run on a CUDA device, not on {device.type}: net.to('cuda')"
    if sys.platform != "linux":
        return f"CuPy kernels are built on Linux, not on {sys.platform}: nobody tried there yet"
    return why_not_here()


@functools.cache
def why_not_here() -> str | None:
    """Why CuPy cannot run kernels on this machine's devices, or None."""
    if torch.version.cuda is None or not torch.cuda.is_available():
        return (
            f"torch {torch.__version__} sees no CUDA device: it takes NVIDIA's driver and a CUDA "
            "build of torch (https://pytorch.org/get-started)"
        )
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
    return prepared(program, kinds_of(program, parameters, device), _storage(dtype), capability)


@functools.cache
def prepared(
    program: Program, kinds: tuple[str, ...], storage: str, capability: tuple[int, int]
) -> str | None:
    """Compile both directions at full width; the reason where that fails, or None."""
    names = ("forward",) if program.backward is None else ("forward", "backward")
    try:
        for name in names:
            width = widest(program, kinds, storage, name)
            binary(text_of(program, kinds, storage, name, width), capability)
    except BuildError as error:
        return str(error)
    return None


text_of = functools.cache(source)


def _launch(
    program: Program,
    layout: Layout,
    name: str,
    call: Arguments,
    parameters: Parameters,
    load: Load,
    totals: Sequence[Tensor] = (),
) -> None:
    """Launch a kernel; its totals come after the parameters."""
    kinds = kinds_of(program, parameters, layout.device)
    for parameter, kind in zip(parameters, kinds, strict=True):
        call.parameter(parameter, kind)
    for total in totals:
        call.add(total)
    if layout.size == 0:
        return
    storage = _storage(layout.dtype)
    width = min(call.width, widest(program, kinds, storage, name))
    text = text_of(program, kinds, storage, name, width)
    load(text, name, layout.device)(-(-layout.size // (width * THREADS)), call.values)


def _storage(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
