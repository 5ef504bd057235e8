"""Runs a node by its program: traces it once, evaluates its parameters, and is differentiable."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import torch_program, cpp
from .program import Program, compile_trace
from .symbol import Untraceable
from .trace import Trace, trace

__all__ = ["run", "why_not"]


ENGINE: Any = torch_program


@dataclass
class _Traced:
    """A node's trace, or why it has none, and the programs made of it."""

    trace: Trace | None
    reason: str | None
    programs: dict[Any, Program]


_TRACED: "weakref.WeakKeyDictionary[Any, dict[Any, _Traced]]" = weakref.WeakKeyDictionary()


def why_not(node: Any, device: torch.device) -> str | None:
    """Why a node cannot run by its program, or None."""
    return traced(node, 1).reason


def traced(node: Any, n_inputs: int) -> _Traced:
    """The node's trace, made anew where what it took for granted no longer holds."""
    cache = _TRACED.setdefault(node, {})
    known = cache.get(n_inputs)
    if known is None or known.trace is None or not known.trace.guards.hold(node):
        cache[n_inputs] = known = _trace(node, n_inputs)
    return known


def _trace(node: Any, n_inputs: int) -> _Traced:
    try:
        made = trace(node, tuple(name for name, _ in node.named_memories()), n_inputs)
    except Untraceable as error:
        return _Traced(None, str(error), {})
    return _Traced(made, None, {})


def run(node: Any, x_seqs: Sequence[Tensor]) -> Tensor:
    r"""Spikes [T, N, \*] of a node; its states are replaced by those after the last step."""
    known = traced(node, len(x_seqs))
    if known.trace is None:
        raise RuntimeError(known.reason)
    names = [name for name, _ in known.trace.states]
    states = [getattr(node, name) for name in names]
    parameters = [uniform.evaluate(node) for uniform, _ in known.trace.parameters]
    tensors = [*x_seqs, *states, *(p for p in parameters if isinstance(p, Tensor))]
    grad = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    wanted = tuple(
        i for i, p in enumerate(parameters) if isinstance(p, Tensor) and p.requires_grad
    )
    sequences = (names.index("v"),) if node.store_v_seq else ()
    key = (grad, wanted if grad else (), sequences)
    if key not in known.programs:
        known.programs[key] = compile_trace(
            known.trace, sequences=sequences, differentiated=key[1], backward=grad
        )
    program = known.programs[key]
    if grad:
        results = _Fused.apply(program, len(x_seqs), len(states), *x_seqs, *states, *parameters)
    else:
        outputs, states, _ = ENGINE.forward(program, x_seqs, states, parameters)
        results = (*outputs, *states)
    for name, state in zip(names, results[program.n_outputs :], strict=True):
        setattr(node, name, state)
    if sequences:
        node._records["v_seq"] = [results[1]]
    return results[0]


class _Fused(torch.autograd.Function):
    """The program forward and backward."""

    @staticmethod
    def forward(ctx: Any, program: Program, n: int, m: int, *values: Any) -> tuple[Tensor, ...]:
        x_seqs, states, parameters = values[:n], values[n : n + m], values[n + m :]
        outputs, new_states, saved = ENGINE.forward(program, x_seqs, states, parameters)
        ctx.program, ctx.sizes = program, (n, m)
        ctx.numbers = [None if isinstance(p, Tensor) else p for p in parameters]
        kept = [x_seqs[i] for i in program.saved_inputs]
        tensors = [p for p in parameters if isinstance(p, Tensor)]
        ctx.counts = (len(saved), len(kept))
        ctx.save_for_backward(*saved, *kept, *tensors)
        ctx.shape = x_seqs[0].shape, x_seqs[0].dtype, x_seqs[0].device
        ctx.set_materialize_grads(False)
        return (*outputs, *new_states)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        program, (n, m) = ctx.program, ctx.sizes
        a, b = ctx.counts
        kept = ctx.saved_tensors
        tensors = iter(kept[a + b :])
        parameters = [next(tensors) if p is None else p for p in ctx.numbers]
        shape, dtype, device = ctx.shape
        like = kept[0] if kept[: a + b] else torch.empty(shape, dtype=dtype, device=device)
        x_grads, state_grads, totals = ENGINE.backward(
            program,
            grads[: program.n_outputs],
            grads[program.n_outputs :],
            kept[:a],
            dict(zip(program.saved_inputs, kept[a : a + b], strict=True)),
            parameters,
            like,
        )
        reduced: list[Tensor | None] = [None] * len(parameters)
        for i, total in zip(program.differentiated, totals, strict=True):
            reduced[i] = total.sum_to_size(parameters[i].shape).to(parameters[i].dtype)
        return (None, None, None, *x_grads, *state_grads, *reduced)
