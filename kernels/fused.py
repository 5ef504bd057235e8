"""Runs a node by its program: traced once, differentiable, the same for every engine."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import coupling, eager, recompute, transforms
from .cache import Traced, traced
from .call import Call, Ready
from .engine import Engine, parameter_grads
from .layout import Layout
from .program import Program
from .step_loop import couple

__all__ = ["Engine", "check_backward", "run", "training_saved", "why_not"]


def why_not(engine: Engine, node: Any, device: torch.device, call: Call | None) -> str | None:
    """Why the engine cannot run a node on a device now, or this call of it, or None."""
    tensors = () if call is None else [x for x in call.inputs if isinstance(x, Tensor)]
    reason = transforms.why_not(tensors) or engine.why_not(device)
    if reason is not None:
        return reason
    if call is None:
        known = traced(node, getattr(node, "n_inputs", 1))
        return known.reason or _why_not_maps(engine, known)
    ready = call.ready
    if isinstance(ready, str):
        return ready
    reason = _why_not_maps(engine, ready.known)
    if reason is not None:
        return reason
    engine, program = _bound(engine, node, ready)
    return engine.prepare(program, ready.x_seqs[0].dtype, ready.parameters)


def _why_not_maps(engine: Engine, known: Traced) -> str | None:
    if engine.runs_steps or known.trace is None or not known.trace.maps:
        return None
    return (
        f"hears {known.trace.maps[0].state} through {known.trace.maps[0].path}, step by step, at "
        "which its own lines are faster"
    )


def run(engine: Engine, call: Call) -> Tensor:
    r"""Spikes [T, N, \*] of a node; its states become those after the last step."""
    node, ready = call.node, call.ready
    if isinstance(ready, str):
        raise RuntimeError(ready)
    if ready.enlarged is not None:
        eager.run(node, call.inputs)  # raises what the lines themselves say of it
        raise ValueError(ready.enlarged)
    engine, program = _bound(engine, node, ready)
    results = _results(engine, program, node.save, ready)
    n = program.n_outputs
    for name, state in zip(ready.names, results[n:], strict=True):
        setattr(node, name, state)
    for name, sequence in zip(node.kept_states, results[1:n], strict=True):
        node.record_sequence(f"{name}_seq", sequence)
    spikes = results[0]
    return spikes if spikes.dtype == ready.dtype else spikes.to(ready.dtype)


def training_saved(engine: Engine, node: Any, layout: Layout) -> Sequence[Tensor]:
    """Tensors like what is saved where all that a node can learn is learned."""
    known = traced(node, getattr(node, "n_inputs", 1))
    if known.trace is None:
        raise RuntimeError(known.reason)
    names = [name for name, _ in known.trace.states]
    values = [uniform.evaluate(node) for uniform, _ in known.trace.parameters]
    wanted = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    program = known.program([names.index(name) for name in node.kept_states], wanted)
    couplings, _ = coupling.bind(known.trace.maps, names, node, len(values))
    engine, program = couple(engine, program, couplings, wanted)
    return engine.new_saved(program, layout)


def _results(engine: Engine, program: Program, save: str, ready: Ready) -> Sequence[Tensor]:
    if program.backward is not None:
        values = (*ready.x_seqs, *ready.states, *ready.parameters)
        return _Fused.apply(engine, program, save, *values)
    outputs, states, _ = engine.forward(
        program, Layout(ready.x_seqs[0]), ready.x_seqs, ready.states, ready.parameters
    )
    return (*outputs, *states)


def _bound(engine: Engine, node: Any, ready: Ready) -> tuple[Engine, Program]:
    """The engine and the program for what is kept and what needs a gradient in this call."""
    known, n = ready.known, len(ready.known.parameters)
    sequences = [ready.names.index(name) for name in node.kept_states]
    wanted = _wanted(ready) if torch.is_grad_enabled() else None
    own = None if wanted is None else [i for i in wanted if i < n]
    rounded = wanted is not None and ready.x_seqs[0].element_size() == 2
    program = known.program(sequences, own, rounded)
    return couple(engine, program, ready.couplings, wanted or ())


def _wanted(ready: Ready) -> list[int] | None:
    """The parameters that need a gradient; None where nothing does."""
    wanted = [
        i for i, p in enumerate(ready.parameters) if isinstance(p, Tensor) and p.requires_grad
    ]
    data = (*ready.x_seqs, *ready.states)
    return wanted if wanted or any(value.requires_grad for value in data) else None


class _Fused(torch.autograd.Function):
    """A program forward and backward."""

    @staticmethod
    def forward(ctx: Any, engine: Engine, program: Program, save: str, *values: Any) -> Any:
        n, m = program.n_inputs, program.n_states
        x_seqs, states, parameters = values[:n], values[n : n + m], values[n + m :]
        outputs, new_states, saved = recompute.forward(
            engine, program, save, x_seqs, states, parameters
        )
        inputs = [x_seqs[i] for i in recompute.kept_inputs(program, save)]
        first = states if save == "input" else ()
        tensors = [p for p in parameters if isinstance(p, Tensor)]
        ctx.save_for_backward(*saved, *inputs, *first, *tensors)
        ctx.engine, ctx.program, ctx.save = engine, program, save
        ctx.numbers = [None if isinstance(p, Tensor) else p for p in parameters]
        ctx.layout = Layout(x_seqs[0])
        ctx.ends = (len(saved), len(saved) + len(inputs), len(saved) + len(inputs) + len(first))
        ctx.set_materialize_grads(False)
        return (*outputs, *new_states)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        check_backward(*grads)
        program: Program = ctx.program
        kept, (a, b, c) = ctx.saved_tensors, ctx.ends
        tensors = iter(kept[c:])
        parameters = [next(tensors) if p is None else p for p in ctx.numbers]
        x_grads, state_grads, totals = recompute.backward(
            ctx.engine,
            program,
            ctx.save,
            ctx.layout,
            grads[: program.n_outputs],
            grads[program.n_outputs :],
            kept[:a],
            dict(zip(recompute.kept_inputs(program, ctx.save), kept[a:b], strict=True)),
            kept[b:c],
            parameters,
        )
        found = parameter_grads(program, totals, parameters)
        reduced = map(found.get, range(len(parameters)))
        return (None, None, None, *x_grads, *state_grads, *reduced)


def check_backward(*grads: Tensor | None) -> None:
    """Raise a RuntimeError where a backward is to be differentiated or transformed itself."""
    if torch.is_grad_enabled() or transforms.is_transformed():
        raise RuntimeError(transforms.SECOND)
    for grad in grads:
        if grad is not None and torch._C._functorch.is_legacy_batchedtensor(grad):
            raise RuntimeError(transforms.SECOND)
