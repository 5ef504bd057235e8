"""Runs a node by its program: traced once, differentiable, the same for every engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import eager
from .cache import traced
from .call import Call, Ready
from .layout import Layout
from .program import Program

__all__ = ["Engine", "run", "why_not"]

Sequences = list[Tensor]

SECOND = (
    "this backend differentiates once and in reverse (no create_graph=True, no vmap over a "
    "backward): use backend='eager', for a whole net functional.set_backend(net, 'eager')"
)


def _nothing(*call: Any) -> str | None:
    """There is nothing to prepare."""
    return None


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
        prepare: From program, dtype and parameters of a call: the reason it cannot run that,
            or None; what has to be built is built here.
    """

    forward: Callable[..., tuple[Sequences, Sequences, Sequences]]
    backward: Callable[..., tuple[Sequences, Sequences, Sequences]]
    why_not: Callable[[torch.device], str | None]
    prepare: Callable[[Program, torch.dtype, Sequence[Tensor | float]], str | None] = _nothing


def why_not(engine: Engine, node: Any, device: torch.device, call: Call | None) -> str | None:
    """Why the engine cannot run a node on a device now, or this call of it, or None."""
    reason = _why_not_now() or engine.why_not(device)
    if reason is not None:
        return reason
    if call is None:
        return traced(node, getattr(node, "n_inputs", 1)).reason
    ready = call.ready
    if isinstance(ready, str):
        return ready
    return engine.prepare(_program(node, ready), ready.x_seqs[0].dtype, ready.parameters)


def _why_not_now() -> str | None:
    if torch.compiler.is_compiling():
        return "torch.compile traces the node's own lines, which is backend='eager'"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "torch.func transforms the node's own lines, which is backend='eager'"
    if torch.autograd.forward_ad._current_level >= 0:
        return "forward-mode differentiation follows the node's own lines: use backend='eager'"
    return None


def run(engine: Engine, call: Call) -> Tensor:
    r"""Spikes [T, N, \*] of a node; its states become those after the last step."""
    node, ready = call.node, call.ready
    if isinstance(ready, str):
        raise RuntimeError(ready)
    if ready.enlarged is not None:
        eager.run(node, call.inputs)  # raises what the lines themselves say of it
        raise ValueError(ready.enlarged)
    program = _program(node, ready)
    results = _results(engine, program, ready)
    n = program.n_outputs
    for name, state in zip(ready.names, results[n:], strict=True):
        setattr(node, name, state)
    for name, sequence in zip(node.kept_states, results[1:n], strict=True):
        node.record_sequence(f"{name}_seq", sequence)
    spikes = results[0]
    return spikes if spikes.dtype == ready.dtype else spikes.to(ready.dtype)


def _results(engine: Engine, program: Program, ready: Ready) -> Sequence[Tensor]:
    if program.backward is not None:
        values = (*ready.x_seqs, *ready.states, *ready.parameters)
        return _Fused.apply(engine, program, *values)
    outputs, states, _ = engine.forward(
        program, Layout(ready.x_seqs[0]), ready.x_seqs, ready.states, ready.parameters
    )
    return (*outputs, *states)


def _program(node: Any, ready: Ready) -> Program:
    """The program for what is kept and what needs a gradient in this call."""
    known = ready.known
    sequences = [ready.names.index(name) for name in node.kept_states]
    if not torch.is_grad_enabled():
        return known.program(sequences, None)
    rounded = ready.x_seqs[0].element_size() == 2
    wanted = [
        i for i, p in enumerate(ready.parameters) if isinstance(p, Tensor) and p.requires_grad
    ]
    if wanted or any(value.requires_grad for value in (*ready.x_seqs, *ready.states)):
        return known.program(sequences, wanted, rounded)
    return known.program(sequences, None)


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
        if torch.is_grad_enabled() or _is_batched(grads):
            raise RuntimeError(SECOND)
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


def _is_batched(grads: Sequence[Tensor | None]) -> bool:
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return True
    is_batched = torch._C._functorch.is_legacy_batchedtensor
    return any(g is not None and is_batched(g) for g in grads)
