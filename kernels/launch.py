"""Runs a program on tensors that are known to be in order, with autograd where it is wanted."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import cpp, fused
from .engine import Engine, parameter_grads
from .layout import Layout
from .program import Program

__all__ = ["Launch"]

Values = Sequence[Tensor | float]
Sequences = list[Tensor]


class Launch:
    """Runs one program by one engine, again and again.

    Arguments:
        engine: The engine.
        program: The program.
        layout: How all inputs and states lie.
        parameters: The parameters of a call; those of another must be of the same kinds.
    """

    def __init__(
        self, engine: Engine, program: Program, layout: Layout, parameters: Values
    ) -> None:
        self.program = program
        self.tensors = [i for i, p in enumerate(parameters) if isinstance(p, Tensor)]
        self.passes: cpp.Launch | _Passes = (
            cpp.Launch(program, layout, parameters)
            if engine.forward is cpp.forward
            else _Passes(engine, program, layout)
        )

    def apply(self, parameters: tuple[Tensor | float, ...], *values: Any) -> Sequence[Tensor]:
        r"""Spikes [T, N, \*] and the states after the last step.

        Arguments:
            parameters: The parameters.
            values: The inputs, then the first states: tensors, or numbers, that of all neurons.
        """
        n = self.program.n_inputs
        x_seqs, states = values[:n], values[n:]
        if self.program.backward is None:
            outputs, last, _ = self.passes.forward(x_seqs, states, parameters)
            return (*outputs, *last)
        given = [state for state in states if type(state) is not float]
        tensors = [parameters[i] for i in self.tensors]
        results: Sequence[Tensor] = _Differentiable.apply(
            self, states, parameters, *x_seqs, *given, *tensors
        )
        return results


class _Passes:
    """The two passes of an engine that has no shorter way; it takes no numbers as states."""

    def __init__(self, engine: Engine, program: Program, layout: Layout) -> None:
        self.engine, self.program, self.layout = engine, program, layout

    def forward(
        self, x_seqs: Sequence[Tensor], states: Values, parameters: Values
    ) -> tuple[Sequences, Sequences, Sequences]:
        first = [self.layout.match_step(state) for state in states]
        return self.engine.forward(self.program, self.layout, x_seqs, first, parameters)

    def backward(
        self,
        output_grads: Sequence[Tensor | None],
        state_grads: Sequence[Tensor | None],
        saved: Sequence[Tensor],
        x_seqs: Sequence[Tensor],
        parameters: Values,
        wanted: Sequence[bool],
    ) -> tuple[Sequences, Sequences, Sequences]:
        inputs = dict(zip(self.program.saved_inputs, x_seqs, strict=True))
        return self.engine.backward(
            self.program, self.layout, output_grads, state_grads, saved, inputs, parameters
        )


class _Differentiable(torch.autograd.Function):
    """A launch forward and backward; its node in the graph knows whether it was gone through."""

    @staticmethod
    def forward(
        ctx: Any, launch: Launch, states: Values, parameters: Values, *tensors: Tensor
    ) -> Any:
        program = launch.program
        x_seqs = tensors[: program.n_inputs]
        outputs, last, saved = launch.passes.forward(x_seqs, states, parameters)
        inputs = [x_seqs[i] for i in program.saved_inputs]
        ctx.save_for_backward(*saved, *inputs, *[parameters[i] for i in launch.tensors])
        ctx.launch, ctx.backward_ran = launch, False
        ctx.given = [type(state) is not float for state in states]
        # Tensors are saved above, where autograd sees whether they were changed meanwhile.
        ctx.parameters = parameters
        if launch.tensors:
            ctx.parameters = [None if isinstance(p, Tensor) else p for p in parameters]
        ctx.set_materialize_grads(False)
        return (*outputs, *last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        ctx.backward_ran = True
        fused.check_backward(*grads)
        launch, program, saved = ctx.launch, ctx.launch.program, ctx.saved_tensors
        k, i, n = program.n_saved, len(program.saved_inputs), program.n_outputs
        parameters, given = ctx.parameters, ctx.given
        if launch.tensors:
            parameters = list(parameters)
            for j, tensor in zip(launch.tensors, saved[k + i :], strict=True):
                parameters[j] = tensor
        x_grads, first, totals = launch.passes.backward(
            grads[:n], grads[n:], saved[:k], saved[k : k + i], parameters, given
        )
        states = [grad for grad, is_tensor in zip(first, given, strict=True) if is_tensor]
        reduced = parameter_grads(program, totals, parameters)
        return (None, None, None, *x_grads, *states, *map(reduced.get, launch.tensors))
