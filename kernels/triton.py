"""Runs a program as Triton kernels on a CUDA device."""

import ctypes
import functools
import importlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .fused import Engine
from .layout import Layout
from .program import Program
from .triton_launch import ACCESS, Launch, compile_only, launch, probe

__all__ = ["engine", "kinds_of", "prepare", "rehearse", "why_not", "why_not_here"]

Run = Callable[[Launch], None]

# The oldest devices that Triton supports.
CAPABILITY = (8, 0)

# Neurons of which any device has many.
MANY = 2**24


def engine(run: Run = launch) -> Engine:
    """The engine that runs programs by Triton.

    Arguments:
        run: What runs a kernel; the tests have one that interprets them on CPU tensors.
    """
    forward, backward = functools.partial(_forward, run), functools.partial(_backward, run)
    if run is launch:
        return Engine(forward, backward, why_not, prepare)
    return Engine(forward, backward, lambda device: why_not_here())


def why_not(device: torch.device) -> str | None:
    """Why Triton cannot run on a device, or None."""
    if device.type != "cuda":
        return (
            f"Triton kernels run on a CUDA device, not on {device.type}: move net and input to "
            "one by .cuda()"
        )
    reason = why_not_here()
    if reason is not None:
        return reason
    if not torch.cuda.is_available():
        return "torch finds no CUDA device: install a driver and a torch that is built for CUDA"
    index = torch.cuda.current_device() if device.index is None else device.index
    return _why_not_on(index)


@functools.cache
def why_not_here() -> str | None:
    """Why Triton is not to be had, or None."""
    try:
        importlib.import_module("triton")
    except ImportError as error:
        return f"triton cannot be imported ({error}): pip install triton"
    return None


def prepare(
    program: Program, dtype: torch.dtype, parameters: Sequence[Tensor | float]
) -> str | None:
    """Compile what a call of a program most likely needs; the reason where that fails, or None."""
    index = torch.cuda.current_device()
    devices = [p.device for p in parameters if isinstance(p, Tensor) and p.is_cuda]
    kinds = kinds_of(parameters, devices[0] if devices else torch.device("cuda", index))
    return _prepared(program, kinds, dtype, index)


def rehearse(run: Run, program: Program, kinds: Sequence[str], dtype: torch.dtype) -> None:
    """Run a program over tensors without storage, as a training step over many neurons would.

    Arguments:
        run: What is to be done with each kernel.
        program: The program.
        kinds: The kinds of its parameters.
        dtype: The dtype of its inputs.
    """
    x_seq = torch.empty(2, MANY, dtype=dtype, device="meta")
    layout = Layout(x_seq)
    shapes = {"scalar": (), "array": (MANY,)}
    parameters = [
        torch.empty(shapes[kind], device="meta") if kind in shapes else 1.0 for kind in kinds
    ]
    states = [layout.step() for _ in range(program.n_states)]
    x_seqs = [x_seq] * program.n_inputs
    outputs, _, saved = _forward(run, program, layout, x_seqs, states, parameters)
    if program.backward is None:
        return
    grads = [outputs[0], *(None for _ in outputs[1:])]
    inputs = {i: x_seqs[i] for i in program.saved_inputs}
    absent = [None for _ in states]
    _backward(run, program, layout, grads, absent, saved, inputs, parameters)


def kinds_of(parameters: Sequence[Tensor | float], device: torch.device) -> tuple[str, ...]:
    """Of each parameter "number", "scalar" (one value in the device's memory) or "array"."""

    def kind(parameter: Tensor | float) -> str:
        if not isinstance(parameter, Tensor):
            return "number"
        if parameter.numel() > 1:
            return "array"
        # To ask a device for a number would be to wait for it.
        return "scalar" if parameter.device == device else "number"

    return tuple(map(kind, parameters))


def _forward(
    run: Run,
    program: Program,
    layout: Layout,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Tensor | float],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    call = _Call(program, layout, parameters)
    for i, x_seq in enumerate(x_seqs):
        call.read(f"x{i}", layout.match(x_seq))
    last = [call.carry(f"v{i}", layout.match_step(state)) for i, state in enumerate(states)]
    outputs = [call.use(f"o{i}", layout.sequence()) for i in range(program.n_outputs)]
    saved = [call.use(f"k{i}", layout.saved(kind)) for i, kind in enumerate(program.saved)]
    call.run(run, "forward")
    return outputs, last, saved


def _backward(
    run: Run,
    program: Program,
    layout: Layout,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    parameters: Sequence[Tensor | float],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    call = _Call(program, layout, parameters)
    for i, grad in enumerate(output_grads):
        call.read(f"g{i}", None if grad is None else layout.match(grad))
    for i, (kind, sequence) in enumerate(zip(program.saved, saved, strict=True)):
        sequence = layout.match_saved(kind, sequence)
        call.use(f"k{i}", sequence) if kind == "bit" else call.read(f"k{i}", sequence)
    for i, x_seq in x_seqs.items():
        call.read(f"x{i}", layout.match(x_seq))
    first = [
        call.carry(f"c{i}", None if grad is None else layout.match_step(grad))
        for i, grad in enumerate(state_grads)
    ]
    x_grads = [call.use(f"d{i}", layout.sequence()) for i in range(program.n_inputs)]
    n = len(program.differentiated)
    totals = [call.use(f"total{i}", layout.step()) for i in range(n)]
    call.run(run, "backward")
    return x_grads, first, totals


@functools.cache
def _why_not_on(index: int) -> str | None:
    if torch.version.hip is not None:
        return "Triton kernels are built for NVIDIA's devices: nobody measured on others yet"
    capability = torch.cuda.get_device_capability(index)
    if capability < CAPABILITY:
        return (
            f"Triton needs a device of compute capability {CAPABILITY[0]}.{CAPABILITY[1]} or "
            f"later, and cuda:{index} has {capability[0]}.{capability[1]}: use backend='torch'"
        )
    try:
        probe(index)
    except Exception as error:
        return f"Triton does not work on cuda:{index}: {_summary(error)}"
    return None


@functools.cache
def _prepared(
    program: Program, kinds: tuple[str, ...], dtype: torch.dtype, index: int
) -> str | None:
    try:
        rehearse(lambda run: compile_only(run, index), program, kinds, dtype)
    except Exception as error:
        return f"Triton cannot compile this program: {_summary(error)}"
    return None


def _summary(error: Exception) -> str:
    """The first and the last line: where, and what."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " .. ".join(dict.fromkeys((lines[0].strip(), lines[-1].strip())))


class _Call:
    """Collects a kernel's arguments by name."""

    def __init__(
        self, program: Program, layout: Layout, parameters: Sequence[Tensor | float]
    ) -> None:
        self._program, self._layout = program, layout
        self._kinds = kinds_of(parameters, layout.device)
        self._tensors: dict[str, Tensor | None] = {}
        self._steps: dict[str, int] = {}
        self._parameters: dict[str, Tensor | float] = {}
        for i, parameter in enumerate(parameters):
            self._parameters |= _parameter(f"p{i}", self._kinds[i], parameter, layout)

    def read(self, name: str, sequence: Tensor | None) -> None:
        """A sequence, None for zeros: where it lies, and how far apart its steps are."""
        self._tensors[f"{name}_ptr"] = sequence
        # The distance between steps of which there is one may be anything.
        apart = 0 if sequence is None or sequence.shape[0] == 1 else sequence.stride(0)
        self._steps[f"{name}_step"] = apart

    def use(self, name: str, sequence: Tensor) -> Tensor:
        """A sequence whose steps follow one another, or a single step."""
        self._tensors[f"{name}_ptr"] = sequence
        return sequence

    def carry(self, name: str, first: Tensor | None) -> Tensor:
        """A state before the first step, None for 0, and room for that after the last."""
        last = self._layout.step()
        self._tensors |= {f"{name}_first": first, f"{name}_last": last}
        return last

    def run(self, run: Run, name: str) -> None:
        """Run the kernel."""
        layout, unit = self._layout, self._unit()
        if layout.size == 0:
            return
        distances = {"N": layout.size, **self._steps}
        arguments = {
            "T": layout.steps,
            **{key: distance // unit for key, distance in distances.items()},
            **self._tensors,
            **self._parameters,
        }
        run(Launch(self._program, self._kinds, name, layout, arguments, unit))

    def _unit(self) -> int:
        """As many neurons as one access takes, if all rows begin where an access may."""
        unit = ACCESS // self._layout.dtype.itemsize
        distances = (self._layout.size, *self._steps.values())
        addresses = (t.data_ptr() for t in self._tensors.values() if t is not None)
        aligned = all(address % ACCESS == 0 for address in addresses)
        return unit if aligned and all(d % unit == 0 for d in distances) else 1


def _parameter(
    name: str, kind: str, parameter: Tensor | float, layout: Layout
) -> dict[str, Tensor | float]:
    """A parameter as arguments."""
    if kind == "number":
        value = float(parameter)
        single = layout.precision == torch.float32
        return {f"{name}_number": ctypes.c_float(value).value if single else value}
    values, inner, size = layout.index(parameter)  # type: ignore[arg-type]
    if kind == "scalar":
        return {f"{name}_ptr": values}
    return {f"{name}_ptr": values, f"{name}_inner": inner, f"{name}_size": size}
