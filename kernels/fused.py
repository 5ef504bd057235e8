"""Runs a node by its program: traced once, differentiable, the same for every engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .cache import Traced, traced
from .layout import Layout
from .program import Program

__all__ = ["Engine", "run", "why_not"]

Parameter = Tensor | float
Sequences = list[Tensor]


@dataclass(frozen=True)
class Engine:
    r"""What runs a program over a sequence.

    Arguments:
        forward: From program, layout, inputs [T, N, \*], states and parameters: outputs
            [T, N, \*], the states after the last step, and saved values [T, N, \*].
        backward: From program, layout, cotangents of outputs and states (None where there are
            none), saved values, saved inputs and parameters: cotangents of the inputs, the first
            states, and (per neuron) the differentiated parameters.
        why_not: The reason it cannot run on a device, or None.
    """

    forward: Callable[..., tuple[Sequences, Sequences, Sequences]]
    backward: Callable[..., tuple[Sequences, Sequences, Sequences]]
    why_not: Callable[[torch.device], str | None]


def why_not(engine: Engine, node: Any, device: torch.device) -> str | None:
    """Why the engine cannot run a node on a device now, or None."""
    if torch.compiler.is_compiling():
        return "torch.compile traces the node's own lines, which is backend='eager'"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "torch.func transforms differentiate the node's own lines, which is 'eager'"
    reason = engine.why_not(device)
    return traced(node).reason if reason is None else reason


def run(engine: Engine, node: Any, input_seqs: Sequence[Tensor]) -> Tensor:
    r"""Spikes [T, N, \*] of a node; its states become those after the last step."""
    x_seqs = [x if x.is_floating_point() else x.to(torch.float32) for x in input_seqs]
    known = traced(node, len(x_seqs))
    if known.trace is None:
        raise RuntimeError(known.reason)
    names = [name for name, _ in known.trace.states]
    states = [getattr(node, name) for name in names]
    parameters = [uniform.evaluate(node) for uniform, _ in known.trace.parameters]
    _check_parameters(node, parameters, x_seqs[0])
    kept = ("v",) if node.store_v_seq else ()
    program = _program(known, x_seqs, states, parameters, [names.index(name) for name in kept])
    if program.backward is None:
        layout = Layout(x_seqs[0])
        outputs, new_states, _ = engine.forward(program, layout, x_seqs, states, parameters)
        results = (*outputs, *new_states)
    else:
        results = _Fused.apply(engine, program, *x_seqs, *states, *parameters)
    n = program.n_outputs
    for name, state in zip(names, results[n:], strict=True):
        setattr(node, name, state)
    for name, sequence in zip(kept, results[1:n], strict=True):
        node.record_sequence(f"{name}_seq", sequence)
    spikes: Tensor = results[0]
    return spikes


def _program(
    known: Traced,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Parameter],
    sequences: Sequence[int],
) -> Program:
    """The program for what needs a gradient in this call."""
    wanted = [
        i for i, p in enumerate(parameters) if isinstance(p, Tensor) and p.requires_grad
    ]
    needed = bool(wanted) or any(x.requires_grad for x in (*x_seqs, *states))
    if not (needed and torch.is_grad_enabled()):
        return known.program(sequences, None)
    return known.program(sequences, wanted)


def _check_parameters(node: Any, parameters: Sequence[Parameter], x_seq: Tensor) -> None:
    """Raise what eager would say of parameters that change the shape or precision."""
    step = x_seq.shape[1:]
    for p in parameters:
        if not isinstance(p, Tensor) or p.dim() == 0:
            continue
        if p.dtype == torch.float64 and x_seq.dtype != torch.float64:
            raise ValueError(
                f"{type(node).__name__} has a float64 parameter of shape {list(p.shape)} but the "
                f"input is {x_seq.dtype}: call net.float(), or use backend='eager'"
            )
        if torch.broadcast_shapes(p.shape, step) != step:
            node.eager_step(*(x_seq.detach()[0],))


class _Fused(torch.autograd.Function):
    """A program forward and backward."""

    @staticmethod
    def forward(ctx: Any, engine: Engine, program: Program, *values: Any) -> Any:
        n, m = program.n_inputs, program.n_states
        x_seqs, states, parameters = values[:n], values[n : n + m], values[n + m :]
        layout = Layout(x_seqs[0])
        outputs, new_states, saved = engine.forward(program, layout, x_seqs, states, parameters)
        inputs = [x_seqs[i] for i in program.saved_inputs]
        tensors = [p for p in parameters if isinstance(p, Tensor)]
        ctx.save_for_backward(*saved, *inputs, *tensors)
        ctx.engine, ctx.program = engine, program
        ctx.numbers = [None if isinstance(p, Tensor) else p for p in parameters]
        ctx.layout = layout
        ctx.set_materialize_grads(False)
        return (*outputs, *new_states)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "this backend has no second derivative (create_graph=True): use backend='eager', "
                "for a whole net functional.set_backend(net, 'eager')"
            )
        program: Program = ctx.program
        k, i = program.n_saved, len(program.saved_inputs)
        kept = ctx.saved_tensors
        tensors = iter(kept[k + i :])
        parameters = [next(tensors) if p is None else p for p in ctx.numbers]
        x_grads, state_grads, totals = ctx.engine.backward(
            program,
            ctx.layout,
            grads[: program.n_outputs],
            grads[program.n_outputs :],
            kept[:k],
            dict(zip(program.saved_inputs, kept[k : k + i], strict=True)),
            parameters,
        )
        reduced: list[Tensor | None] = [None] * len(parameters)
        for j, total in zip(program.differentiated, totals, strict=True):
            reduced[j] = total.sum_to_size(parameters[j].shape).to(parameters[j].dtype)
        return (None, None, *x_grads, *state_grads, *reduced)
