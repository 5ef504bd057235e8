"""Runs a node, also where a graph is captured (torch.compile, torch.export, fake tensors).

A kernel writes through pointers, which nobody who watches torch's operations sees: there a node
runs as one registered operator. Under torch.compile its lines are followed for one step as well,
without a use of the result: so everything that they read (attributes, methods, surrogates, global
names) is guarded by torch.compile itself, and a change compiles the node anew.
"""

import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._C import _len_torch_function_stack
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import _pop_mode_temporarily
from torch.utils._python_dispatch import _disable_current_modes

from . import eager, transforms
from . import operator_rules as operator_rules
from .backend import BACKENDS, choose
from .cache import Traced, traced
from .call import DTYPES, Call
from .operator import FORWARD
from .recipe import Recipe, follow, paths, read, recipe

__all__ = ["run"]

# What _plan returns where the node runs by its own lines.
LINES = "lines"

# The numbers that a node was planned with.
_SEEN: "weakref.WeakKeyDictionary[Any, dict[str, set[str]]]" = weakref.WeakKeyDictionary()


def run(node: Any, inputs: Sequence[Any]) -> Tensor:
    r"""Spikes [T, N, \*] of a node whose states fit; they become those after the last step."""
    if torch.compiler.is_compiling():
        return _run_captured(node, inputs)
    if callable(torch._C._dynamo.eval_frame.get_eval_frame_callback()):
        # It would compile the engine's own functions, one by one, where it has given up on those
        # that call them.
        return torch._dynamo.disable(run)(node, inputs)
    x = inputs[0]
    watched = isinstance(x, FakeTensor) or torch._C._len_torch_dispatch_stack() > 0
    if watched or transforms.is_transformed():
        return _run_captured(node, inputs)
    call = Call(node, inputs)
    return choose(node, node.backend, x.device, call).run(call)


def _run_captured(node: Any, inputs: Sequence[Tensor]) -> Tensor:
    x = inputs[0]
    if node.backend == "eager" or not _alike(inputs):
        return eager.run(node, inputs)
    device, dtype = str(x.device), x.dtype if x.is_floating_point() else torch.float32
    answer, names, recipes, facts, changing = _plan(node, node.backend, len(inputs), dtype, device)
    if answer not in ("", LINES):
        raise RuntimeError(answer)
    if answer == LINES or not _is_current(node, facts):
        return eager.run(node, inputs)
    states = [getattr(node, name) for name in names]
    if not all(_is_state(state, x) for state in states):
        return eager.run(node, inputs)
    values = [_value(follow(made, node, changing)) for made in recipes]
    why = _why_lines((*inputs, *states, *[v for v in values if isinstance(v, Tensor)]))
    if why is not None:
        if node.backend != "auto":
            raise RuntimeError(f"backend {node.backend!r} cannot run here: {why}")
        return eager.run(node, inputs)
    if torch.compiler.is_dynamo_compiling() and not torch.compiler.is_exporting():
        _follow_one_step(node, inputs, facts, names, states)
    return _run(node, inputs, dtype, names, states, values)


def _run(
    node: Any,
    inputs: Sequence[Tensor],
    dtype: torch.dtype,
    names: Sequence[str],
    states: Sequence[Tensor],
    values: Sequence[Tensor | float],
) -> Tensor:
    kept = node.kept_states
    storage = _widest([dtype, *([torch.float32] if kept else []), *[x.dtype for x in inputs]])
    x_seqs = [x if x.dtype == storage else x.to(storage) for x in inputs]
    positions = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    tensors = [values[i] for i in positions]
    numbers = [value for value in values if not isinstance(value, Tensor)]
    wanted = None
    if torch.is_grad_enabled():
        learned = tuple([i for i in positions if _needs_grad(values[i])])  # type: ignore[arg-type]
        if learned or any(_needs_grad(value) for value in (*x_seqs, *states)):
            wanted = learned
    sequences = tuple([names.index(name) for name in kept])
    answer, engine, text = _program(
        node, node.backend, len(inputs), storage, str(inputs[0].device), sequences, wanted
    )
    if answer == LINES:
        return eager.run(node, inputs)
    if answer:
        raise RuntimeError(answer)
    if torch.compiler.is_exporting():
        engine = node.backend  # another machine may have other engines
    results = FORWARD(x_seqs, states, tensors, positions, numbers, text, engine, node.save)
    n = 1 + len(kept)
    for i, name in enumerate(names):
        setattr(node, name, results[n + i])
    for i, name in enumerate(kept):
        node.record_sequence(f"{name}_seq", results[1 + i])
    return results[0] if storage == dtype else results[0].to(dtype)


def _widest(dtypes: Sequence[torch.dtype]) -> torch.dtype:
    widest = dtypes[0]
    for dtype in dtypes:
        if dtype != widest:  # torch.export would put the question into the graph
            widest = torch.promote_types(widest, dtype)
    return widest


def _value(value: Any) -> Tensor | float:
    return value if isinstance(value, Tensor) else float(value)


def _why_lines(tensors: Sequence[Tensor]) -> str | None:
    if torch.compiler.is_compiling():
        return _transformed_inside()
    return transforms.why_not(tensors)


def _needs_grad(tensor: Tensor) -> bool:
    if torch.compiler.is_compiling():
        return tensor.requires_grad
    return any(True for _ in transforms.differentiated_levels(tensor))


def _alike(inputs: Sequence[Tensor]) -> bool:
    """Whether the inputs are of one shape, device, and precision that engines know."""
    x = inputs[0]
    double = x.dtype == torch.float64
    for other in inputs:
        if other.is_floating_point() and other.dtype not in DTYPES:
            return False
        if (other.dtype == torch.float64) != double:
            return False
        if other.layout != torch.strided or other.shape != x.shape or other.device != x.device:
            return False
    return True


def _is_state(state: Any, x: Tensor) -> bool:
    if not isinstance(state, Tensor):
        return False
    precision = torch.float64 if x.dtype == torch.float64 else torch.float32
    return state.dtype == precision and state.shape == x.shape[1:]


def _is_current(node: Any, facts: Any) -> bool:
    """Whether the graph itself has changed nothing that the plan took for granted.

    It also has torch.compile guard the methods, which it does not do when it only calls them.
    """
    flags, owners, methods = facts
    for path, name, value in flags:
        if getattr(read(node, path), name) != value:
            return False
    held = [_is_held(node, path, read(node, path)) for path in owners]
    for path, name in methods:
        held.append(_is_method(node, path, name, getattr(type(read(node, path)), name)))
    return all(held)


def _follow_one_step(
    node: Any, inputs: Sequence[Tensor], facts: Any, names: Sequence[str], states: Sequence[Tensor]
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


@torch.compiler.assume_constant_result
def _plan(node: Any, backend: str, n_inputs: int, dtype: torch.dtype, device: str) -> Any:
    """What is known of a node before it runs, a constant in the graph.

    Returns:
        '' or 'lines' or what is wrong; the names of its states; the recipes of its parameters;
        the flags, surrogates and methods that its trace read; and the paths of numbers that have
        changed since an earlier plan.
    """
    with _unwatched():
        answer, known = _traced(node, backend, n_inputs, dtype, device)
        if answer or known.trace is None:
            return (answer, (), (), (), ())
        names = tuple(name for name, _ in known.trace.states)
        recipes = tuple(recipe(uniform) for uniform, _ in known.trace.parameters)
        if None in recipes:
            return (LINES, (), (), (), ())
        flags, methods = known.guards.constants(), known.guards.methods()
        owners = tuple({path for path, _, _ in flags if path})
        return ("", names, recipes, (flags, owners, methods), _changing(node, recipes))


@torch.compiler.assume_constant_result
def _program(
    node: Any,
    backend: str,
    n_inputs: int,
    dtype: torch.dtype,
    device: str,
    sequences: tuple[int, ...],
    wanted: tuple[int, ...] | None,
) -> tuple[str, str, str]:
    """'' or 'lines' or what is wrong; the engine and the program's text; constants in the graph.

    Arguments:
        node: The node.
        backend: Its backend.
        n_inputs: The number of inputs of a step.
        dtype: That of the inputs.
        device: That of the inputs.
        sequences: The states whose sequences are kept.
        wanted: The parameters that get a gradient; None where nothing does.
    """
    with _unwatched():
        _, known = _traced(node, backend, n_inputs, dtype, device)
        program = known.program(sequences, wanted, dtype.itemsize == 2)
        parameters = [uniform.evaluate(node) for uniform, _ in known.trace.parameters]
        rows = BACKENDS.values() if backend == "auto" else [choose(node, backend, device)]
        why = None
        for row in rows:
            if row.engine is None:
                continue
            why = row.why_not(node, torch.device(device), None)
            why = why or row.engine.prepare(program, dtype, parameters)
            if why is None:
                return "", row.name, program.text
    return LINES if backend == "auto" else f"backend {backend!r} cannot run: {why}", "", ""


@torch.compiler.assume_constant_result
def _transformed_inside() -> str | None:
    """Why a transform, or forward mode, that is part of the graph follows the lines, or None."""
    if transforms.is_transformed():
        return "torch.func inside of torch.compile follows the node's own lines"
    return transforms.why_not(())


@torch.compiler.assume_constant_result
def _is_held(node: Any, path: str, owner: Any) -> bool:
    return read(node, path) is owner


@torch.compiler.assume_constant_result
def _is_method(node: Any, path: str, name: str, function: Any) -> bool:
    return getattr(type(read(node, path)), name) is function


def _traced(
    node: Any, backend: str, n_inputs: int, dtype: torch.dtype, device: str
) -> tuple[str, Traced]:
    """'' or 'lines' or what is wrong, and the node's trace."""
    known = traced(node, n_inputs, dtype == torch.float64)
    if backend == "auto":
        return (LINES if known.trace is None else ""), known
    try:
        engine = choose(node, backend, device).engine
    except RuntimeError as error:
        return str(error), known
    if engine is not None and known.trace is None:
        return f"backend {backend!r} cannot run {type(node).__name__}: {known.reason}", known
    return ("" if engine else LINES), known


def _changing(node: Any, recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """The paths of numbers that were others before: torch.compile makes them variables too.

    With dynamic=True it does so from the start.
    """
    seen = _SEEN.setdefault(node, {})
    fixed = _numbers_are_fixed()
    for made in recipes:
        for path in paths(made):
            value = read(node, path)
            if type(value) is float:
                seen.setdefault(path, set()).add(repr(value))
    return tuple(path for path, values in seen.items() if len(values) > 1 or not fixed)


def _numbers_are_fixed() -> bool:
    return getattr(sys.modules.get("torch._dynamo.config"), "assume_static_by_default", True)


@contextmanager
def _unwatched() -> Iterator[None]:
    """Nobody who captures a graph sees how it is planned."""
    with _disable_current_modes(), ExitStack() as stack:
        for _ in range(_len_torch_function_stack()):
            stack.enter_context(_pop_mode_temporarily())
        yield
