"""Runs a program as C++ built by the system's compiler, on the CPU."""

import ctypes
import functools
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .build import BuildError, load
from .cpp_preamble import LANES, MOST_LANES
from .cpp_source import source
from .layout import Layout
from .program import Program
from .threads import threads

__all__ = ["Launch", "backward", "forward", "prepare", "why_not"]

Parameters = Sequence[Tensor | float]

PROBE = 'extern "C" int probe() { return 1; }\n'

# Below this many steps of neurons, waking a second thread costs more than it saves.
SMALLEST_SHARE = 32768

# A sequence of more bytes goes past the caches, which would not keep it for the next layer. In
# training, where three are written before the first is read again, they are full much sooner.
MOST_CACHED = 2**21
MOST_CACHED_IN_TRAINING = 2**18


def forward(
    program: Program,
    layout: Layout,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor | float],
    parameters: Parameters,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Outputs [T, N, \*], states after the last step, and saved values [T, N, \*]."""
    first = [layout.match_step(s) if isinstance(s, Tensor) else s for s in states]
    return Launch(program, layout, parameters).forward(x_seqs, first, parameters)


def backward(
    program: Program,
    layout: Layout,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    parameters: Parameters,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Cotangents of the inputs [T, N, \*], the first states, and (per neuron) the parameters."""
    x_grads, first, totals = Launch(program, layout, parameters).backward(
        output_grads, state_grads, saved, list(x_seqs.values()), parameters
    )
    return x_grads, [grad for grad in first if grad is not None], totals


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


def prepare(program: Program, dtype: torch.dtype, parameters: Parameters) -> str | None:
    """Build what a call of a program needs; the reason where that fails, or None."""
    return _prepared(program, _kinds(parameters), dtype)


@functools.cache
def _prepared(program: Program, kinds: tuple[bool, ...], dtype: torch.dtype) -> str | None:
    try:
        _kernel(program, kinds, dtype, "forward")
    except BuildError as error:
        return str(error)
    return None


class Launch:
    """Runs a program on tensors that lie as a layout says.

    What is the same at every such call is worked out once: a small call lasts as long as its
    Python.

    Arguments:
        program: The program.
        layout: How sequences and states lie.
        parameters: The parameters of a call; those of another must be of the same kinds.
    """

    def __init__(self, program: Program, layout: Layout, parameters: Parameters) -> None:
        self._program, self._layout, self._kinds = program, layout, _kinds(parameters)
        self._arrays = [i for i, is_array in enumerate(self._kinds) if is_array]
        self._most_threads = layout.steps * layout.size // SMALLEST_SHARE
        # The parameters last seen and their numbers: both at once, for there may be threads.
        self._seen: tuple[Any, list[float]] = (None, [])
        self._ready: dict[Any, _Ready] = {}

    def forward(
        self, x_seqs: Sequence[Tensor], states: Sequence[Tensor | float], parameters: Parameters
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Outputs, states after the last step, saved values.

        Arguments:
            x_seqs: The inputs, in order.
            states: The first states, in order; a number is that of all neurons.
            parameters: The parameters.
        """
        layout, program = self._layout, self._program
        x_seqs = [layout.match_line(x_seq, MOST_LANES) for x_seq in x_seqs]
        last = [layout.step() for _ in states]
        outputs = [layout.sequence() for _ in range(program.n_outputs)]
        saved = [layout.saved(kind) for kind in program.saved]
        self._run("forward", x_seqs, states, last, outputs + saved, parameters)
        return outputs, last, saved

    def backward(
        self,
        output_grads: Sequence[Tensor | None],
        state_grads: Sequence[Tensor | None],
        saved: Sequence[Tensor],
        x_seqs: Sequence[Tensor],
        parameters: Parameters,
        wanted: Sequence[bool] = (),
    ) -> tuple[list[Tensor], list[Tensor | None], list[Tensor]]:
        """Cotangents of the inputs, the first states and (per neuron) the parameters.

        Arguments:
            output_grads: Cotangents of the outputs, None where there are none; in any layout.
            state_grads: Cotangents of the last states, likewise.
            saved: What the forward saved, likewise.
            x_seqs: The inputs that the program saves, likewise.
            parameters: The parameters.
            wanted: Of which first states the cotangents are wanted; by default, of all.
        """
        layout, program = self._layout, self._program
        grads = [layout.zeros() if g is None else layout.match(g) for g in output_grads]
        last = [0.0 if g is None else layout.match_step(g) for g in state_grads]
        first = [layout.step() if need else None for need in wanted or [True] * len(last)]
        x_grads = [layout.sequence() for _ in range(program.n_inputs)]
        totals = [layout.step() for _ in program.differentiated]
        inputs = [layout.match_line(x_seq, MOST_LANES) for x_seq in x_seqs]
        kept = [*map(layout.match_saved, program.saved, saved), *inputs]
        self._run("backward", grads + kept, last, first, x_grads, parameters, totals)
        return x_grads, first, totals

    def _run(
        self,
        name: str,
        reads: Sequence[Tensor],
        before: Sequence[Tensor | float],
        after: Sequence[Tensor | None],
        writes: Sequence[Tensor],
        parameters: Parameters,
        totals: Sequence[Tensor] = (),
    ) -> None:
        """Call a kernel with sizes, pointers and numbers in the order of its source."""
        pointers = [tensor.data_ptr() for tensor in reads]
        for start, end in zip(before, after, strict=True):
            pointers.append(start.data_ptr() if isinstance(start, Tensor) else 0)
            pointers.append(0 if end is None else end.data_ptr())
        pointers += [tensor.data_ptr() for tensor in writes]
        arrays = [self._layout.index(parameters[i]) for i in self._arrays]  # type: ignore[arg-type]
        pointers += [values.data_ptr() for values, _, _ in arrays]
        periods = tuple([n for _, inner, size in arrays for n in (inner, size)])
        pointers += [total.data_ptr() for total in totals]
        ready = self.ready(name, tuple(map(self._apart, reads)), periods)
        numbers = *self.numbers(parameters), *map(_start, before)
        ready.kernel(ready.sizes, ready.pack_pointers(*pointers), ready.pack_numbers(*numbers))

    def _apart(self, sequence: Tensor) -> int:
        """How far apart steps are; negative where every block of neurons reads the same lines."""
        apart = sequence.stride(0)
        return -apart if self._layout.has_lines(sequence) else apart

    @property
    def is_large(self) -> bool:
        """Whether there is work for several threads."""
        return self._most_threads > 1

    def ready(
        self, name: str, strides: tuple[int, ...], periods: tuple[int, ...] = ()
    ) -> "_Ready":
        """A kernel and its sizes.

        Arguments:
            name: 'forward' or 'backward'.
            strides: How far apart the steps are of each sequence that it reads.
            periods: The periods of the parameters that are arrays.
        """
        used = threads(self._most_threads) if self.is_large else 1
        key = name, used, strides, periods
        ready = self._ready.get(key)
        if ready is None:
            ready = self._ready[key] = self._prepare(*key)
        return ready

    def _prepare(
        self, name: str, threads: int, strides: tuple[int, ...], periods: tuple[int, ...]
    ) -> "_Ready":
        """Build a kernel and pack its sizes.

        They are: steps, neurons, a block's neurons, threads; how far apart steps are read; what
        of the states and of what else is written goes past the caches; periods of parameters.
        """
        program, layout = self._program, self._layout
        size, steps = layout.size, layout.steps
        most = MOST_CACHED if program.backward is None else MOST_CACHED_IN_TRAINING
        state = size * layout.precision.itemsize > most
        value = steps * size * layout.dtype.itemsize > most
        bit = -(-steps // 8) * size > most
        if name == "forward":
            saved = [bit if kind == "bit" else value for kind in program.saved]
            written = [value] * program.n_outputs + saved
        else:
            written = [value] * program.n_inputs
        past = (*[state] * program.n_states, *written)
        sizes = (steps, size, _block(size, threads), threads, *strides, *past, *periods)
        n_pointers = len(strides) + program.n_states + len(past) + len(self._arrays)
        if name == "backward":
            n_pointers += len(program.differentiated)
        return _Ready(
            _kernel(program, self._kinds, layout.dtype, name),
            struct.pack(f"{len(sizes)}q", *sizes),
            struct.Struct(f"{n_pointers}q").pack,
            struct.Struct(f"{len(self._kinds) + program.n_states}d").pack,
        )

    def numbers(self, parameters: Parameters) -> list[float]:
        """The numbers among the parameters; 0 for an array."""
        then, numbers = self._seen
        if parameters is not then:
            numbers = list(map(_number, parameters, self._kinds))
            if not any(isinstance(p, Tensor) for p in parameters):
                self._seen = parameters, numbers
        return numbers


class _Ready(NamedTuple):
    """A kernel, its sizes, and what packs its pointers and numbers."""

    kernel: Callable[[bytes, bytes, bytes], None]
    sizes: bytes
    pack_pointers: Callable[..., bytes]
    pack_numbers: Callable[..., bytes]


@functools.cache
def _kernel(
    program: Program, kinds: tuple[bool, ...], dtype: torch.dtype, name: str
) -> Callable[..., None]:
    storage = str(dtype).removeprefix("torch.")
    function = getattr(load(source(program, kinds, storage)), name)
    function.argtypes = [ctypes.c_char_p] * 3
    function.restype = None
    return function


def _kinds(parameters: Parameters) -> tuple[bool, ...]:
    """Which parameters are arrays; the others go as numbers."""
    return tuple([isinstance(p, Tensor) and p.numel() > 1 for p in parameters])


def _number(parameter: Tensor | float, is_array: bool) -> float:
    if is_array:
        return 0.0
    return parameter.item() if isinstance(parameter, Tensor) else parameter


def _start(state: Tensor | float) -> float:
    return 0.0 if isinstance(state, Tensor) else state


def _block(size: int, threads: int) -> int:
    """Neurons of a block: whole inner loops, in the caches, and work for every thread."""
    share = -(-size // (threads * LANES)) * LANES
    return max(LANES, min(MOST_LANES, share))
