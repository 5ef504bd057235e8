"""Runs a program as C++ built by the system's compiler, on the CPU."""

import ctypes
import functools
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .build import compiler, load
from .cpp_source import source
from .layout import Layout
from .program import Program

__all__ = ["backward", "forward"]

# Below this many steps of neurons, waking a second thread costs more than it saves.
SMALLEST_SHARE = 32768


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
        call.sequence(layout.match(x_seq))
    new_states = [layout.step() for _ in states]
    for state, new in zip(states, new_states, strict=True):
        call.pointer(layout.match_step(state), new)
    outputs = [layout.sequence() for _ in range(program.n_outputs)]
    saved = [layout.sequence(layout.precision) for _ in range(program.n_saved)]
    for sequence in (*outputs, *saved):
        call.sequence(sequence)
    call.add_parameters()
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
        call.sequence(layout.zeros() if grad is None else layout.match(grad))
    for sequence in (*saved, *map(layout.match, x_seqs.values())):
        call.sequence(sequence)
    first = [layout.step() for _ in state_grads]
    for grad, new in zip(state_grads, first, strict=True):
        call.pointer(None if grad is None else layout.match_step(grad), new)
    x_grads = [layout.sequence() for _ in range(program.n_inputs)]
    for x_grad in x_grads:
        call.sequence(x_grad)
    call.add_parameters()
    totals = [layout.step() for _ in program.differentiated]
    call.pointer(*totals)
    call.run("backward")
    return x_grads, first, totals


class _Call:
    """Collects the arguments in the order in which the source numbers them."""

    def __init__(
        self, program: Program, parameters: Sequence[Tensor | float], layout: Layout
    ) -> None:
        self.program, self.layout = program, layout
        self.parameters = parameters
        self.kinds = tuple(isinstance(p, Tensor) and p.numel() > 1 for p in parameters)
        self.numbers = [0.0 if k else _number(p) for p, k in zip(parameters, self.kinds, strict=True)]
        self.pointers: list[int | None] = []
        self.integers: list[int] = []
        self._alive: list[Tensor] = []

    def sequence(self, sequence: Tensor) -> None:
        """Where it lies, and how far apart its steps are."""
        self.pointer(sequence)
        self.integers.append(sequence.stride(0))

    def pointer(self, *tensors: Tensor | None) -> None:
        """Where tensors lie."""
        for tensor in tensors:
            self.pointers.append(None if tensor is None else tensor.data_ptr())
            if tensor is not None:
                self._alive.append(tensor)

    def add_parameters(self) -> None:
        """The arrays among the parameters; the numbers go by themselves."""
        for parameter, is_array in zip(self.parameters, self.kinds, strict=True):
            if is_array:
                values, inner, size = self.layout.index(parameter)  # type: ignore[arg-type]
                self.pointer(values)
                self.integers += [inner, size]

    def run(self, name: str) -> None:
        """Call the kernel."""
        layout = self.layout
        storage = str(layout.dtype).removeprefix("torch.")
        shares = max(1, layout.steps * layout.size // SMALLEST_SHARE)
        _kernel(self.program, self.kinds, storage, name)(
            layout.steps,
            layout.size,
            (ctypes.c_void_p * len(self.pointers))(*self.pointers),
            (ctypes.c_int64 * len(self.integers))(*self.integers),
            (ctypes.c_double * len(self.numbers))(*self.numbers),
            min(torch.get_num_threads(), shares),
        )


@functools.cache
def _kernel(program: Program, kinds: tuple[bool, ...], storage: str, name: str) -> Any:
    function = getattr(load(source(program, kinds, storage)), name)
    function.argtypes = [
        *(ctypes.c_int64, ctypes.c_int64),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
    ]
    function.restype = None
    return function


def _number(parameter: Tensor | float) -> float:
    return parameter.detach().item() if isinstance(parameter, Tensor) else float(parameter)


def why_not(device: torch.device) -> str | None:
    """Why C++ cannot run on a device, or None."""
    if device.type != "cpu":
        return f"C++ kernels run on the CPU, not on {device.type}"
    if sys.platform != "linux":
        return f"C++ kernels are built on Linux, not on {sys.platform}: nobody measured there yet"
    if compiler() is None:
        return "there is no C++ compiler: install g++, or name one in the variable CXX"
    return None
