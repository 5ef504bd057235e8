"""Runs a node, also where a graph is captured (torch.compile, torch.export, fake tensors).

A kernel writes through pointers, which nobody who watches torch's operations sees: there a node
runs as one registered operator. Under torch.compile its lines are followed for one step as well,
without a use of the result: so everything that they read (attributes, methods, surrogates, global
names) is guarded by torch.compile itself, and a change compiles the node anew.
"""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from . import eager, transforms
from . import operator_rules as operator_rules
from .backend import choose
from .call import DTYPES, Call, why_not_parameters
from .operator import FORWARD
from .plan import LINES, Facts, is_held, is_method, plan, program_of, why_lines_inside
from .recipe import follow, read

__all__ = ["is_captured", "run"]

Value = Tensor | float

TRACED_BY_JIT = "torch.jit.trace sees a node's own lines only: use backend='auto' or 'eager'"


def run(node: Any, inputs: Sequence[Any]) -> Tensor:
    r"""Spikes [T, N, \*] of a node whose states fit; they become those after the last step."""
    if torch.compiler.is_compiling():
        return _run_captured(node, inputs)
    if callable(torch._C._dynamo.eval_frame.get_eval_frame_callback()):
        # It would compile the engine's own functions, one by one, where it has given up on those
        # that call them.
        return torch._dynamo.disable(run)(node, inputs)
    if torch._C._is_tracing():
        return _run_lines(node, inputs, TRACED_BY_JIT)
    if is_captured(inputs):
        return _run_captured(node, inputs)
    call = Call(node, inputs)
    return choose(node, node.backend, inputs[0].device, call).run(call)


def is_captured(inputs: Sequence[Any]) -> bool:
    """Whether somebody else sees what a call does: a compiler, a mode, a transform."""
    if torch.compiler.is_compiling() or torch._C._is_tracing() or _is_fake(inputs[0]):
        return True
    return torch._C._len_torch_dispatch_stack() > 0 or transforms.is_transformed()


class _Given(NamedTuple):
    """What a captured call brings: dtype of the output, names and values of states, parameters."""

    dtype: torch.dtype
    names: Sequence[str]
    states: Sequence[Tensor]
    values: Sequence[Value]


def _is_fake(x: Tensor) -> bool:
    """Whether it has no values; torch loads what makes such tensors only where they are made."""
    module = sys.modules.get("torch._subclasses.fake_tensor")
    return module is not None and isinstance(x, module.FakeTensor)


def _run_captured(node: Any, inputs: Sequence[Tensor]) -> Tensor:
    x = inputs[0]
    if node.backend == "eager":
        return eager.run(node, inputs)
    if not _alike(inputs):
        return _run_lines(node, inputs, "its inputs differ, or are of a kind that no engine reads")
    dtype = x.dtype if x.is_floating_point() else torch.float32
    why, names, recipes, facts, changing = plan(node, len(inputs), dtype, str(x.device))
    if why:
        return _run_lines(node, inputs, why)
    if not _is_current(node, facts):
        return _run_lines(node, inputs, "the graph changes it: change it outside of torch.compile")
    states = [getattr(node, name) for name in names]
    if not all(_is_state(state, x) for state in states):
        return _run_lines(node, inputs, "a memory has not the dtype and shape of its states")
    values = [_number_or_tensor(follow(made, node, changing)) for made in recipes]
    tensors = [value for value in values if isinstance(value, Tensor)]
    why = _why_lines((*inputs, *states, *tensors)) or _why_not_tensors(tensors, x)
    if why:
        return _run_lines(node, inputs, why)
    if torch.compiler.is_dynamo_compiling() and not torch.compiler.is_exporting():
        _follow_one_step(node, inputs, facts, names, states)
    return _run_operator(node, inputs, _Given(dtype, names, states, values))


def _run_operator(node: Any, inputs: Sequence[Tensor], given: _Given) -> Tensor:
    dtype, names, states, values = given
    kept = node.kept_states
    storage = _widest([dtype, *([torch.float32] if kept else []), *[x.dtype for x in inputs]])
    x_seqs = [x if x.dtype == storage else x.to(storage) for x in inputs]
    positions = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    tensors = [values[i] for i in positions]
    numbers = [value for value in values if not isinstance(value, Tensor)]
    wanted = _wanted(positions, tensors, (*x_seqs, *states))
    sequences = tuple([names.index(name) for name in kept])
    device = str(inputs[0].device)
    why, engine, text = program_of(node, len(inputs), storage, device, sequences, wanted)
    if why:
        return _run_lines(node, inputs, why)
    if torch.compiler.is_exporting():
        engine = node.backend  # another machine may have other engines
    results = FORWARD(x_seqs, states, tensors, positions, numbers, text, engine, node.save)
    n = 1 + len(kept)
    for i, name in enumerate(names):
        setattr(node, name, results[n + i])
    for i, name in enumerate(kept):
        node.record_sequence(f"{name}_seq", results[1 + i])
    return results[0] if storage == dtype else results[0].to(dtype)


def _run_lines(node: Any, inputs: Sequence[Tensor], why: str) -> Tensor:
    if node.backend not in ("auto", "eager") and why != LINES:
        raise RuntimeError(
            why
            if why.startswith("backend")
            else f"backend {node.backend!r} cannot run {type(node).__name__} here: {why}"
        )
    return eager.run(node, inputs)


def _wanted(
    positions: Sequence[int], tensors: Sequence[Any], data: Sequence[Tensor]
) -> tuple[int, ...] | None:
    """The parameters that get a gradient; None where nothing does."""
    if not torch.is_grad_enabled():
        return None
    learned = [i for i, p in zip(positions, tensors, strict=True) if _needs_grad(p)]
    if learned or any(_needs_grad(value) for value in data):
        return tuple(learned)
    return None


def _needs_grad(tensor: Tensor) -> bool:
    if torch.compiler.is_compiling():
        return tensor.requires_grad
    return any(True for _ in transforms.differentiated_levels(tensor))


def _why_lines(tensors: Sequence[Tensor]) -> str | None:
    return why_lines_inside() if torch.compiler.is_compiling() else transforms.why_not(tensors)


def _why_not_tensors(parameters: Sequence[Tensor], x: Tensor) -> str | None:
    if any(_is_wrapper(parameter) for parameter in parameters):
        return "a parameter is of a kind that no engine reads"
    return why_not_parameters(parameters, x)


def _widest(dtypes: Sequence[torch.dtype]) -> torch.dtype:
    widest = dtypes[0]
    for dtype in dtypes:
        if dtype != widest:  # torch.export would put the question into the graph
            widest = torch.promote_types(widest, dtype)
    return widest


def _number_or_tensor(value: Any) -> Value:
    return value if isinstance(value, Tensor) else float(value)


def _alike(inputs: Sequence[Tensor]) -> bool:
    """Whether the inputs are plain, of one shape, device, and precision that engines know."""
    x = inputs[0]
    double = x.dtype == torch.float64
    for other in inputs:
        if _is_wrapper(other):
            return False  # a distributed tensor knows torch's own operators only
        if other.is_floating_point() and other.dtype not in DTYPES:
            return False
        if (other.dtype == torch.float64) != double:
            return False
        if other.layout != torch.strided or other.shape != x.shape or other.device != x.device:
            return False
    return True


def _is_wrapper(x: Tensor) -> bool:
    if torch.compiler.is_dynamo_compiling():
        return type(x) not in (Tensor, torch.nn.Parameter)
    return is_traceable_wrapper_subclass(x)


def _is_state(state: Any, x: Tensor) -> bool:
    if not isinstance(state, Tensor) or _is_wrapper(state):
        return False
    precision = torch.float64 if x.dtype == torch.float64 else torch.float32
    return state.dtype == precision and state.shape == x.shape[1:]


def _is_current(node: Any, facts: Facts) -> bool:
    """Whether the graph itself has changed nothing that the plan took for granted.

    It also has torch.compile guard the methods, which it does not do when it only calls them.
    """
    flags, owners, methods = facts
    for path, name, value in flags:
        if getattr(read(node, path), name) != value:
            return False
    held = [is_held(node, path, read(node, path)) for path in owners]
    for path, name in methods:
        held.append(is_method(node, path, name, getattr(type(read(node, path)), name)))
    return all(held)


def _follow_one_step(
    node: Any,
    inputs: Sequence[Tensor],
    facts: Facts,
    names: Sequence[str],
    states: Sequence[Tensor],
) -> None:
    """Have torch.compile read what a step and its surrogate gradients read.

    Without autograd, whose functions it follows into a graph of their own, where it loses numbers
    that change.
    """
    _, owners, _ = facts
    x = inputs[0][0]
    with torch.no_grad():
        for name, state in zip(names, states, strict=True):
            setattr(node, name, state.clone())  # the lines may change it in place
        x = x.to(states[0].dtype if states else torch.float32)
        node.single_step_forward(x, *[other[0].to(x.dtype) for other in inputs[1:]])
        for path in owners:
            surrogate = read(node, path)
            if surrogate.spiking:
                surrogate.gradient(x, x)
    for name, state in zip(names, states, strict=True):
        setattr(node, name, state)
