r"""Runs a program that hears its own states through linear maps: one step after another.

.. math::
    B[t] = W S[t-1] + b,\quad S[t] = f(X[t], B[t], S[t-1])

:math:`f` is the program, of which an engine runs a step; the product before it is torch's own, so
that spikes are the lines'. The cotangents of B of all steps are kept, and the gradient of W is one
product at the end.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .coupled import Coupled
from .coupling import Coupling
from .engine import Engine, Sequences
from .layout import Layout
from .program import Program
from .single_steps import SingleSteps, single_steps

__all__ = ["couple"]

Values = Sequence[Tensor | float]


def couple(
    engine: Engine, program: Program, couplings: tuple[Coupling, ...], wanted: Sequence[int]
) -> tuple[Engine, Any]:
    """A program with its maps, and what runs it by the single steps of an engine.

    Arguments:
        engine: The engine.
        program: The program.
        couplings: The maps in front of it; where there are none, both stay as they are.
        wanted: The parameters that get a gradient, the maps' weights included.
    """
    if not couplings:
        return engine, program
    made = Engine(
        partial(_forward, engine),
        partial(_backward, engine),
        engine.why_not,
        partial(_prepare, engine),
        partial(_new_saved, engine),
    )
    return made, Coupled(program, couplings, tuple(wanted))


def _prepare(engine: Engine, coupled: Coupled, dtype: torch.dtype, values: Values) -> str | None:
    return engine.prepare(coupled.step, dtype, values[: coupled.step.n_parameters])


def _new_saved(engine: Engine, coupled: Coupled, layout: Layout) -> Sequences:
    """What the program saves, a step at a time; then the states heard, and what came of maps."""
    kept = engine.new_saved(coupled.step, layout.single())
    count = len(coupled.heard) + len(coupled.kept_maps)
    dtypes = [*(each.dtype for each in kept), *[layout.dtype] * count]
    return [layout.sequence(dtype) for dtype in dtypes]


def _steps(engine: Engine, coupled: Coupled, layout: Layout, parameters: Values) -> SingleSteps:
    own = parameters[: coupled.step.n_parameters]
    return single_steps(engine, coupled.step, layout.single(), own)


def _forward(
    engine: Engine,
    coupled: Coupled,
    layout: Layout,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Values,
) -> tuple[Sequences, Sequences, Sequences]:
    maps = [(c.map(parameters), c.state) for c in coupled.couplings]
    outputs = [layout.sequence() for _ in range(coupled.n_outputs)]
    saved = _new_saved(engine, coupled, layout) if coupled.backward else []
    kept, heard, came = coupled.parts(saved)
    steps = _steps(engine, coupled, layout, parameters)
    run = steps.forward([layout.match(x_seq) for x_seq in x_seqs], [*outputs, *kept])
    places = _places(coupled, layout, states, heard)
    unread = [i for i, is_read in enumerate(coupled.read_states) if not is_read]
    for t in range(layout.steps):
        before: list[Tensor | None] = [*places[t]]
        backs = [layout.match_step(made.apply(places[t][i])) for made, i in maps]
        for values, i in zip(came, coupled.kept_maps, strict=True):
            values[t].copy_(backs[i])
        for i in unread:
            before[i] = None
        run(t, backs, before, places[t + 1])
    return outputs, [*places[-1]], saved


def _places(
    coupled: Coupled, layout: Layout, states: Sequence[Tensor], heard: Sequence[Tensor]
) -> list[tuple[Tensor, ...]]:
    """Where the states are before each step and after the last.

    Each is written where it was read, but those of which all steps are kept.
    """
    places = [[layout.step().copy_(state)] * (layout.steps + 1) for state in states]
    for i, sequence in zip(coupled.heard if heard else (), heard, strict=True):
        sequence[0].copy_(states[i])
        places[i] = [*sequence.unbind(0), places[i][-1]]
    return [*zip(*places, strict=True)]


def _backward(
    engine: Engine,
    coupled: Coupled,
    layout: Layout,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    parameters: Values,
) -> tuple[Sequences, Sequences, Sequences]:
    kept, heard, came = coupled.parts(saved)
    grads = [layout.zeros() if g is None else layout.match(g) for g in output_grads]
    # Hooks on what is saved may give it otherwise.
    ordered = map(layout.match_saved, coupled.step.saved, kept)
    given = [*grads, *ordered, *map(layout.match, (*x_seqs.values(), *came))]
    states = dict(zip(coupled.heard, heard, strict=True))
    steps = _steps(engine, coupled, layout, parameters)
    run = _Backward(steps, coupled, layout, parameters, given, states)
    first = run.through([g if g is None else layout.match_step(g) for g in state_grads])
    return run.x_grads, first, [*run.totals, *run.weight_grads()]


class _Backward:
    """A run against time.

    Arguments:
        steps: Runs a step.
        coupled: The program.
        layout: How everything lies.
        parameters: Its parameters.
        given: The sequences that it reads.
        states: The states that were heard, by their numbers.
    """

    def __init__(
        self,
        steps: SingleSteps,
        coupled: Coupled,
        layout: Layout,
        parameters: Values,
        given: Sequence[Tensor],
        states: dict[int, Tensor],
    ) -> None:
        self._coupled, self._layout = coupled, layout
        self._maps = [(c.map(parameters), c) for c in coupled.couplings]
        self._states = {i: sequence.unbind(0) for i, sequence in states.items()}
        self._sequences = states
        apart = {i: layout.sequence() for i in set(coupled.grad_places)}
        made = [apart[i] for i in coupled.grad_places]
        self.x_grads, self._grads = made[: coupled.n_inputs], made[coupled.n_inputs :]
        self._into = [sequence.unbind(0) for sequence in self._grads]
        self._zero = layout.step().zero_()
        self._told = [layout.step() if is_told else None for is_told in coupled.told_states]
        self._addends = [layout.step() for _ in coupled.step.differentiated]
        self.totals = [torch.zeros_like(addend) for addend in self._addends]
        self._run = steps.backward(given, made, self._addends)

    def through(self, last: Sequence[Tensor | None]) -> Sequences:
        """The cotangents of the first states, from those of the last."""
        now = [self._zero if grad is None else grad for grad in last]
        for t in reversed(range(self._layout.steps)):
            self._run(t, now, self._told)
            for total, addend in zip(self.totals, self._addends, strict=True):
                total += addend
            now = [self._zero if grad is None else grad for grad in self._told]
            self._hear(t, now)
        return now

    def _hear(self, t: int, now: list[Tensor]) -> None:
        """Add to the cotangents of states what comes through the maps."""
        for (made, coupling), grads in zip(self._maps, self._into, strict=True):
            i = coupling.state
            found = self._layout.match_step(made.state_grad(grads[t], self._states[i][t]))
            now[i] = found if now[i] is self._zero else now[i].add_(found)

    def weight_grads(self) -> Sequences:
        """Those of the weights and biases that want one."""
        found: dict[int, Any] = {}
        for (made, coupling), grads in zip(self._maps, self._grads, strict=True):
            weight, *bias = coupling.weights
            found[weight] = partial(made.weight_grad, grads, self._sequences[coupling.state])
            found |= {i: partial(made.bias_grad, grads) for i in bias}
        wanted = self._coupled.differentiated[len(self.totals) :]
        return [found[i]() for i in wanted]
