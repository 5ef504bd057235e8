"""What is known of a node before it runs in a graph: constants there, found by plain Python.

torch.compile calls these functions while it makes a graph and puts what they return into it, so
they return texts, numbers and tuples of them. What they read of the node it does not see; the
caller reads the same where it does.
"""

import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch._C import _len_torch_function_stack
from torch.overrides import _pop_mode_temporarily
from torch.utils._python_dispatch import _disable_current_modes

from . import transforms
from .backend import BACKENDS, choose
from .cache import Traced, traced
from .recipe import Recipe, paths, read, recipe
from .trace import Trace

__all__ = ["LINES", "is_held", "is_method", "plan", "program_of", "why_lines_inside"]

# Where a node runs by its own lines, and nothing else was asked for.
LINES = "lines"

COUPLED = "hears its own states through a linear map, step by step, which is no operator"

# The numbers that a node was planned with.
_SEEN: "weakref.WeakKeyDictionary[Any, dict[str, set[str]]]" = weakref.WeakKeyDictionary()

Facts = tuple[tuple[Any, ...], tuple[str, ...], tuple[tuple[str, str], ...]]
Plan = tuple[str, tuple[str, ...], tuple[Recipe, ...], Facts, tuple[str, ...]]


def _constant_in_graphs(function: Callable[..., Any]) -> Callable[..., Any]:
    """What torch.compiler.assume_constant_result does, without all that it loads to do it."""
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


@_constant_in_graphs
def plan(node: Any, n_inputs: int, dtype: torch.dtype, device: str) -> Plan:
    """How a node runs as an operator.

    Arguments:
        node: The node.
        n_inputs: The number of inputs of a step.
        dtype: That of its output.
        device: That of the inputs.

    Returns:
        Why it does not, 'lines' or ''; the names of its states; the recipes of its parameters;
        the flags, surrogates and methods that its trace read; and the paths of numbers that have
        changed since an earlier plan.
    """
    nothing: Facts = ((), (), ())
    with _unwatched():
        why, known = _traced(node, n_inputs, dtype, device)
        if known.trace is None or why:
            return why, (), (), nothing, ()
        recipes = [recipe(uniform) for uniform, _ in known.trace.parameters]
        made = tuple(each for each in recipes if each is not None)
        if len(made) < len(recipes):
            return "computes a parameter by what no graph can follow", (), (), nothing, ()
        names = tuple(name for name, _ in known.trace.states)
        flags, methods = known.guards.constants(), known.guards.methods()
        owners = tuple(dict.fromkeys(path for path, _, _ in flags if path))
        return "", names, made, (flags, owners, methods), _changing(node, made)


@_constant_in_graphs
def program_of(
    node: Any,
    n_inputs: int,
    dtype: torch.dtype,
    device: str,
    sequences: tuple[int, ...],
    wanted: tuple[int, ...] | None,
) -> tuple[str, str, str]:
    """What a planned node runs: why nothing does or '', the engine, and the program's text.

    Arguments:
        node: The node.
        n_inputs: The number of inputs of a step.
        dtype: That of the inputs.
        device: That of the inputs.
        sequences: The states whose sequences are kept.
        wanted: The parameters that get a gradient; None where nothing does.
    """
    with _unwatched():
        _, known = _traced(node, n_inputs, dtype, device)
        trace: Trace = known.trace  # type: ignore[assignment]
        program = known.program(sequences, wanted, dtype.itemsize == 2)
        parameters = [uniform.evaluate(node) for uniform, _ in trace.parameters]
        auto = node.backend == "auto"
        why = None
        for row in BACKENDS.values() if auto else [choose(node, node.backend, device)]:
            if row.engine is None:
                continue
            why = row.why_not(node, torch.device(device), None)
            why = why or row.engine.prepare(program, dtype, parameters)
            if why is None:
                return "", row.name, program.text
    return str(why), "", ""


@_constant_in_graphs
def why_lines_inside() -> str | None:
    """Why a transform, or forward mode, that is part of the graph follows the lines, or None."""
    if transforms.is_transformed():
        return "torch.func inside of torch.compile follows the node's own lines"
    return transforms.why_not(())


@_constant_in_graphs
def is_held(node: Any, path: str, owner: Any) -> bool:
    """Whether this is what the node holds there, outside of the graph as well."""
    return read(node, path) is owner


@_constant_in_graphs
def is_method(node: Any, path: str, name: str, function: Any) -> bool:
    """Whether this is the method of that name."""
    return getattr(type(read(node, path)), name) is function


def _traced(node: Any, n_inputs: int, dtype: torch.dtype, device: str) -> tuple[str, Traced]:
    """Why a node runs by its lines, or '', and its trace."""
    known = traced(node, n_inputs, dtype == torch.float64)
    if node.backend != "auto":
        try:
            if choose(node, node.backend, device).engine is None:
                return LINES, known
        except RuntimeError as error:
            return str(error), known
    if known.trace is not None and known.trace.maps:
        return COUPLED, known
    return known.reason or "", known


def _changing(node: Any, recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """The paths of numbers that were others before: torch.compile makes them variables too.

    With dynamic=True it does so from the start.
    """
    seen = _SEEN.setdefault(node, {})
    for path in dict.fromkeys(path for made in recipes for path in paths(made)):
        value = read(node, path)
        if type(value) is float:
            seen.setdefault(path, set()).add(repr(value))
    config = sys.modules.get("torch._dynamo.config")
    static = getattr(config, "assume_static_by_default", True)
    return tuple(path for path, values in seen.items() if len(values) > 1 or not static)


@contextmanager
def _unwatched() -> Iterator[None]:
    """Nobody who captures a graph sees how it is planned."""
    with _disable_current_modes(), ExitStack() as stack:
        for _ in range(_len_torch_function_stack()):
            stack.enter_context(_pop_mode_temporarily())
        yield
