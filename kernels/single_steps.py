"""The two passes of a program a step at a time, out of sequences and into sequences."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor

from . import cpp
from .engine import Engine
from .layout import Layout
from .program import Program

__all__ = ["SingleSteps", "single_steps"]

Values = Sequence[Tensor | float]
Places = Sequence[Tensor | None]
Forward = Callable[[int, Sequence[Tensor], Places, Places], None]
Backward = Callable[[int, Sequence[Tensor], Places], None]


class SingleSteps(Protocol):
    r"""Runs a program for one step t at a time; sequences are [T, N, \*], in order.

    A state may be written where it was read.
    """

    def forward(self, inputs: Sequence[Tensor], into: Sequence[Tensor]) -> Forward:
        r"""Runs a step forward, of t, the last inputs, the states, and what takes those after it.

        The last inputs and the states are [N, \*]. A state that is not read may be None.

        Arguments:
            inputs: The first inputs.
            into: What takes the outputs and the saved values.
        """
        ...

    def backward(
        self, given: Sequence[Tensor], into: Sequence[Tensor], totals: Sequence[Tensor]
    ) -> Backward:
        """Runs a step backward, of t, the states' cotangents, and what takes those before it.

        What None takes is not wanted.

        Arguments:
            given: Cotangents of the outputs, saved values, saved inputs.
            into: What takes the cotangents of the inputs.
            totals: What takes those of the parameters at this step, per neuron.
        """
        ...


def single_steps(
    engine: Engine, program: Program, layout: Layout, parameters: Values
) -> SingleSteps:
    """The passes of an engine, for steps that lie as a layout of one step says."""
    if engine.forward is cpp.forward:
        return _Written(program, layout, parameters)
    return _Copied(engine, program, layout, parameters)


class _Copied:
    """Those of any engine, which makes tensors of its own."""

    def __init__(
        self, engine: Engine, program: Program, layout: Layout, parameters: Values
    ) -> None:
        self._engine, self._program, self._layout = engine, program, layout
        self._parameters = parameters

    def forward(self, inputs: Sequence[Tensor], into: Sequence[Tensor]) -> Forward:
        def step(t: int, more: Sequence[Tensor], before: Places, after: Places) -> None:
            first = [self._layout.match_step(0.0 if s is None else s) for s in before]
            x_seqs = [*_at(t, inputs), *[x.unsqueeze(0) for x in more]]
            outputs, states, saved = self._engine.forward(
                self._program, self._layout, x_seqs, first, self._parameters
            )
            _copy([*outputs, *saved, *states], [*_at(t, into), *after])

        return step

    def backward(
        self, given: Sequence[Tensor], into: Sequence[Tensor], totals: Sequence[Tensor]
    ) -> Backward:
        n, m = self._program.n_outputs, self._program.n_outputs + self._program.n_saved

        def step(t: int, before: Sequence[Tensor], after: Places) -> None:
            now = _at(t, given)
            inputs = dict(zip(self._program.saved_inputs, now[m:], strict=True))
            x_grads, first, sums = self._engine.backward(
                *(self._program, self._layout, now[:n], before, now[n:m], inputs),
                self._parameters,
            )
            _copy([*x_grads, *first, *sums], [*_at(t, into), *after, *totals])

        return step


class _Written:
    """Those of a kernel in C++, of which all but the addresses is known before."""

    def __init__(self, program: Program, layout: Layout, parameters: Values) -> None:
        self._n_states, self._n_inputs = program.n_states, program.n_inputs
        self._launch = cpp.Launch(program, layout, parameters)
        spread = [_spread(p, layout) for p in parameters if _is_array(p)]
        self._arrays, self._periods = spread, (1, layout.size) * len(spread)
        self._numbers = [*self._launch.numbers(parameters), *[0.0] * program.n_states]

    def forward(self, inputs: Sequence[Tensor], into: Sequence[Tensor]) -> Forward:
        launch, pack, numbers = self._ready("forward", self._n_inputs)
        reads, writes = _Steps(inputs), _Steps(into)
        arrays = self._arrays

        def step(t: int, more: Sequence[Tensor], before: Places, after: Places) -> None:
            states, (last, rest) = _pairs(before, after), map(_addresses, (more, arrays))
            launch(pack(*reads.at(t), *last, *states, *writes.at(t), *rest), numbers)

        return step

    def backward(
        self, given: Sequence[Tensor], into: Sequence[Tensor], totals: Sequence[Tensor]
    ) -> Backward:
        launch, pack, numbers = self._ready("backward", len(given))
        reads, writes = _Steps(given), _Steps(into)
        kept = [*self._arrays, *totals]

        def step(t: int, before: Sequence[Tensor], after: Places) -> None:
            states, rest = _pairs(before, after), _addresses(kept)
            launch(pack(*reads.at(t), *states, *writes.at(t), *rest), numbers)

        return step

    def _ready(self, name: str, n_reads: int) -> tuple[Callable[..., None], Any, bytes]:
        """What launches a kernel, what packs its addresses, and its numbers."""
        # How far apart steps are matters to no step that is alone.
        ready = self._launch.ready(name, (0,) * n_reads, self._periods)
        kernel, sizes = ready.kernel, ready.sizes

        def launch(pointers: bytes, numbers: bytes) -> None:
            kernel(sizes, pointers, numbers)

        return launch, ready.pack_pointers, ready.pack_numbers(*self._numbers)


class _Steps:
    """Where the steps of sequences are."""

    def __init__(self, sequences: Sequence[Tensor]) -> None:
        self._kept = sequences
        self._places = [(s.data_ptr(), s.stride(0) * s.element_size()) for s in sequences]

    def at(self, t: int) -> list[int]:
        """Those of step t."""
        return [start + t * apart for start, apart in self._places]


def _addresses(tensors: Sequence[Tensor]) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]


def _pairs(before: Places, after: Places) -> list[int]:
    """The addresses of states, each before and after a step; 0 for one that there is none of."""
    found = []
    for start, end in zip(before, after, strict=True):
        found.append(0 if start is None else start.data_ptr())
        found.append(0 if end is None else end.data_ptr())
    return found


def _is_array(parameter: Tensor | float) -> bool:
    return isinstance(parameter, Tensor) and parameter.numel() > 1


def _spread(parameter: Any, layout: Layout) -> Tensor:
    """A parameter with a value for each neuron."""
    return layout.match_step(parameter.detach().expand(layout.shape))


def _at(t: int, sequences: Sequence[Tensor]) -> list[Tensor]:
    return [sequence[t : t + 1] for sequence in sequences]


def _copy(found: Sequence[Tensor], places: Places) -> None:
    for value, place in zip(found, places, strict=True):
        if place is not None:
            place.copy_(value)
