"""Runs a program as C++ built by the system's compiler, on the CPU."""

import ctypes
import functools
import os
import sys
from array import array
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .build import BuildError, load
from .cpp_preamble import LANES, MOST_LANES
from .cpp_source import source
from .layout import Layout
from .program import Program

__all__ = ["backward", "forward", "prepare", "why_not"]

PROBE = 'extern "C" int probe() { return 1; }\n'

# Below this many steps of neurons, waking a second thread costs more than it saves.
SMALLEST_SHARE = 32768

# A sequence of more bytes goes past the caches, which would not keep it for the next layer.
MOST_CACHED = 2**21

# Up to this many steps, rows of a quarter are faster: the next step's are fetched in time.
FEW_STEPS = 32

_FORKED: list[bool] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _FORKED.append(True))


def forward(
    program: Program,
    layout: Layout,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Tensor | float],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Outputs [T, N, \*], states after the last step, and saved values [T, N, \*]."""
    call = _Call(program, parameters, layout)
    for x_seq in x_seqs:
        call.read(layout.match(x_seq))
    new_states = [layout.step() for _ in states]
    for state, new in zip(states, new_states, strict=True):
        call.carry(layout.match_step(state), new)
    outputs = [call.write(layout.sequence()) for _ in range(program.n_outputs)]
    saved = [call.write(layout.saved(kind)) for kind in program.saved]
    call.run("forward")
    return outputs, new_states, saved


def backward(
    program: Program,
    layout: Layout,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    parameters: Sequence[Tensor | float],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Cotangents of the inputs [T, N, \*], the first states, and (per neuron) the parameters."""
    call = _Call(program, parameters, layout)
    for grad in output_grads:
        call.read(layout.zeros() if grad is None else layout.match(grad))
    for sequence in map(layout.match_saved, program.saved, saved):
        call.read(sequence)
    for x_seq in x_seqs.values():
        call.read(layout.match(x_seq))
    first = [layout.step() for _ in state_grads]
    for grad, new in zip(state_grads, first, strict=True):
        call.carry(None if grad is None else layout.match_step(grad), new)
    x_grads = [call.write(layout.sequence()) for _ in range(program.n_inputs)]
    totals = [layout.step() for _ in program.differentiated]
    call.run("backward", totals)
    return x_grads, first, totals


def why_not(device: torch.device) -> str | None:
    """Why C++ cannot run on a device, or None; builds the smallest library to know."""
    if device.type != "cpu":
        return f"C++ kernels run on the CPU, not on {device.type}"
    if sys.platform != "linux":
        return f"C++ kernels are built on Linux, not on {sys.platform}: nobody measured there yet"
    return why_not_here()


@functools.cache
def why_not_here() -> str | None:
    try:
        load(PROBE)
    except BuildError as error:
        return str(error)
    return None


def prepare(
    program: Program, dtype: torch.dtype, parameters: Sequence[Tensor | float]
) -> str | None:
    """Build what a call of a program needs; the reason where that fails, or None."""
    return _prepared(program, _kinds(parameters), dtype)


@functools.cache
def _prepared(program: Program, kinds: tuple[bool, ...], dtype: torch.dtype) -> str | None:
    try:
        _kernel(program, kinds, dtype, "forward")
    except BuildError as error:
        return str(error)
    return None


class _Call:
    """Collects the arguments in the order in which the source numbers them."""

    def __init__(
        self, program: Program, parameters: Sequence[Tensor | float], layout: Layout
    ) -> None:
        self._program, self._layout = program, layout
        self._parameters = parameters
        self._arguments: list[int] = []
        self._alive: list[Tensor] = []

    def read(self, sequence: Tensor) -> None:
        """A sequence: where it lies, and how far apart its steps are."""
        self._arguments += (sequence.data_ptr(), sequence.stride(0))
        self._alive.append(sequence)

    def carry(self, first: Tensor | None, last: Tensor) -> None:
        """A state before the first step (None for 0) and after the last, past the caches?"""
        past = self._layout.size * last.itemsize > MOST_CACHED
        start = 0 if first is None else first.data_ptr()
        self._arguments += (start, last.data_ptr(), past)
        self._alive.append(last if first is None else first)

    def write(self, sequence: Tensor) -> Tensor:
        """A new sequence: where it lies, how far apart its steps are, whether past the caches."""
        size = self._layout.size
        past = sequence.shape[0] * size * sequence.itemsize > MOST_CACHED
        self._arguments += (sequence.data_ptr(), size, past)
        return sequence

    def run(self, name: str, totals: Sequence[Tensor] = ()) -> None:
        """Call the kernel."""
        kinds = _kinds(self._parameters)
        numbers = array("d", map(_number, self._parameters, kinds))
        if any(kinds):
            self._add_arrays(kinds)
        self._arguments += [total.data_ptr() for total in totals]
        layout, arguments = self._layout, array("q", self._arguments)
        threads = _threads(layout.steps * layout.size)
        _kernel(self._program, kinds, layout.dtype, name)(
            layout.steps,
            layout.size,
            _block(layout.steps, layout.size, threads),
            arguments.buffer_info()[0],
            numbers.buffer_info()[0],
            threads,
        )

    def _add_arrays(self, kinds: Sequence[bool]) -> None:
        for parameter, is_array in zip(self._parameters, kinds, strict=True):
            if is_array:
                values, inner, size = self._layout.index(parameter)  # type: ignore[arg-type]
                self._arguments += (values.data_ptr(), inner, size)
                self._alive.append(values)


@functools.cache
def _kernel(
    program: Program, kinds: tuple[bool, ...], dtype: torch.dtype, name: str
) -> Callable[..., None]:
    storage = str(dtype).removeprefix("torch.")
    function = getattr(load(source(program, kinds, storage)), name)
    function.argtypes = [
        *(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
    ]
    function.restype = None
    return function


def _kinds(parameters: Sequence[Tensor | float]) -> tuple[bool, ...]:
    """Which parameters are arrays; the others go as numbers."""
    return tuple([isinstance(p, Tensor) and p.numel() > 1 for p in parameters])


def _number(parameter: Tensor | float, is_array: bool) -> float:
    if is_array:
        return 0.0
    return parameter.item() if isinstance(parameter, Tensor) else parameter


def _threads(work: int) -> int:
    """Threads for so many steps of neurons; a forked process has none of its parent's."""
    if _FORKED:
        return 1
    return max(1, min(torch.get_num_threads(), work // SMALLEST_SHARE))


def _block(steps: int, size: int, threads: int) -> int:
    """Neurons of a block: whole inner loops, in the caches, and work for every thread."""
    most = MOST_LANES if steps > FEW_STEPS else MOST_LANES // 4
    share = -(-size // (threads * LANES)) * LANES
    return max(LANES, min(most, share))
