"""Runs a program as C++ built by the system's compiler, on the CPU."""

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .build import load
from .cpp_source import STORAGE, source
from .program import Program

__all__ = ["backward", "forward"]

# Below this many steps of neurons, waking a second thread costs more than it saves.
SMALLEST_SHARE = 32768


def forward(
    program: Program,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Tensor | float],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Outputs [T, N, \*], states after the last step, and saved values [T, N, \*]."""
    like = x_seqs[0]
    layout = _Layout(like)
    call = _Call(program, parameters, layout)
    for x_seq in x_seqs:
        call.sequence(layout.match(x_seq))
    new_states = [layout.empty(v.dtype) for v in states]
    for state, new in zip(states, new_states, strict=True):
        call.pointer(layout.match_step(state), new)
    outputs = [layout.empty_sequence() for _ in range(program.n_outputs)]
    saved = [layout.empty_sequence() for _ in range(program.n_saved)]
    for sequence in (*outputs, *saved):
        call.sequence(sequence)
    call.run("forward", like)
    return outputs, new_states, saved


def backward(
    program: Program,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    parameters: Sequence[Tensor | float],
    like: Tensor,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Gradients of the inputs [T, N, \*], the first states, and (per neuron) the parameters."""
    layout = _Layout(like)
    call = _Call(program, parameters, layout)
    for grad in output_grads:
        call.sequence(layout.zeros() if grad is None else layout.match(grad.to(like.dtype)))
    for sequence in (*saved, *x_seqs.values()):
        call.sequence(layout.match(sequence))
    precision = layout.precision
    first = [layout.empty(precision) for _ in range(program.n_states)]
    for grad, new in zip(state_grads, first, strict=True):
        call.pointer(None if grad is None else layout.match_step(grad), new)
    x_grads = [layout.empty_sequence() for _ in range(program.n_inputs)]
    for x_grad in x_grads:
        call.sequence(x_grad)
    call.add_parameters()
    totals = [layout.empty(precision) for _ in program.differentiated]
    call.pointer(*totals)
    call.run("backward", like)
    return x_grads, first, totals


class _Layout:
    """The order in memory that all tensors of a call share: that of one step of the input."""

    def __init__(self, like: Tensor) -> None:
        self.like = like
        step = like.select(0, 0)
        self.shape, self.dtype = step.shape, like.dtype
        self.precision = torch.float64 if like.dtype == torch.float64 else torch.float32
        self.strides = step.stride() if _is_dense(step) else torch.empty(self.shape).stride()

    def match(self, sequence: Tensor) -> Tensor:
        """A sequence whose steps lie in this order; the steps themselves may lie apart."""
        if sequence.dtype == self.dtype and sequence.stride()[1:] == self.strides:
            return sequence
        return self.empty_sequence(sequence.shape[0]).copy_(sequence)

    def match_step(self, step: Tensor) -> Tensor:
        """One step in this order."""
        if step.stride() == self.strides:
            return step
        return self.empty(step.dtype).copy_(step)

    def empty(self, dtype: torch.dtype) -> Tensor:
        """A new step."""
        return torch.empty_strided(self.shape, self.strides, dtype=dtype)

    def empty_sequence(self, steps: int | None = None) -> Tensor:
        """A new sequence, its steps one after another."""
        steps = self.like.shape[0] if steps is None else steps
        size = self.shape.numel()
        shape, strides = (steps, *self.shape), (size, *self.strides)
        return torch.empty_strided(shape, strides, dtype=self.dtype)

    def zeros(self) -> Tensor:
        """A sequence of zeros of which one step is in memory."""
        return self.empty_sequence(1).zero_().expand(self.like.shape)

    def index(self, parameter: Tensor) -> tuple[Tensor, int, int]:
        """The values of a parameter with the rule ``values[i // inner % size]`` for neuron i."""
        if parameter.numel() == 1:
            return parameter, 1, 1
        spread = parameter.detach().expand(self.shape)
        varies = [d for d in range(len(self.shape)) if spread.stride(d) != 0]
        by_stride = sorted(varies, key=lambda d: -self.strides[d])
        inner = self.strides[by_stride[-1]]
        values = parameter.detach().to(self.precision).contiguous()
        expected, size = inner, 1
        for d in reversed(by_stride):
            if self.strides[d] != expected:
                break
            expected, size = expected * self.shape[d], size * self.shape[d]
        else:
            if by_stride == varies:
                return values, inner, size
        whole = self.empty(self.precision).copy_(spread)
        return whole, 1, self.shape.numel()


class _Call:
    """Collects the arguments in the order in which the source numbers them."""

    def __init__(
        self, program: Program, parameters: Sequence[Tensor | float], layout: _Layout
    ) -> None:
        self.program, self.layout = program, layout
        self.parameters = parameters
        self.kinds = tuple(isinstance(p, Tensor) and p.numel() > 1 for p in parameters)
        self.numbers = [0.0 if k else float(p) for p, k in zip(parameters, self.kinds, strict=True)]
        self.pointers: list[int | None] = []
        self.integers: list[int] = []
        self._alive: list[Tensor] = []
        self._has_parameters = False

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
        self._has_parameters = True
        for parameter, is_array in zip(self.parameters, self.kinds, strict=True):
            if is_array:
                values, inner, size = self.layout.index(parameter)  # type: ignore[arg-type]
                self.pointer(values)
                self.integers += [inner, size]

    def run(self, name: str, like: Tensor) -> None:
        """Call the kernel."""
        if not self._has_parameters:
            self.add_parameters()
        steps, size = like.shape[0], self.layout.shape.numel()
        kernel = _kernel(self.program, self.kinds, str(like.dtype).removeprefix("torch."), name)
        shares = max(1, steps * size // SMALLEST_SHARE)
        kernel(
            steps,
            size,
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


def supports(dtype: torch.dtype) -> bool:
    """Whether inputs may be of this dtype."""
    return str(dtype).removeprefix("torch.") in STORAGE


def _is_dense(step: Tensor) -> bool:
    """Whether the elements lie side by side in some order."""
    expected = 1
    for stride, size in sorted(zip(step.stride(), step.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True
