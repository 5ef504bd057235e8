"""What one call brings to a program, or why no program can run it."""

import functools
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import coupling
from .cache import Traced, traced

__all__ = ["DTYPES", "Call", "Ready", "why_not_parameters"]

Parameter = Tensor | float

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

# A tensor of another class may have no memory of its own, or lines of its own.
PLAIN = (Tensor, torch.nn.Parameter)


class Call:
    r"""A node and the inputs of one call.

    Arguments:
        node: The node.
        inputs: The sequences [T, N, \*].
    """

    def __init__(self, node: Any, inputs: Sequence[Any]) -> None:
        self.node, self.inputs = node, inputs

    @cached_property
    def ready(self) -> "Ready | str":
        """What a program needs of the call, or the reason why it needs the node's own lines."""
        reason = _why_not_inputs(self.inputs)
        if reason is not None:
            return reason
        dtype = _floating(self.inputs[0])
        known = traced(self.node, len(self.inputs), dtype == torch.float64)
        if known.trace is None:
            return str(known.reason)
        # What is kept of a state is in its precision, and so then is all of the call.
        # So is what comes of a linear map.
        precise = self.node.kept_states or known.trace.maps
        x_seqs = _same_dtype(self.inputs, torch.float32 if precise else dtype)
        names = tuple(name for name, _ in known.trace.states)
        states = tuple(getattr(self.node, name) for name in names)
        parameters, x = known.parameters(self.node), x_seqs[0]
        n = len(parameters)
        couplings, weights = coupling.bind(known.trace.maps, names, self.node, n)
        reason = (
            _why_not_states(names, states, x)
            or _why_not_plain((*parameters, *weights))
            or why_not_parameters((*parameters, *weights), x)
            or coupling.why_not(couplings, (*parameters, *weights), x)
        )
        if reason is not None:
            return reason
        enlarged = _enlarged(parameters, x)
        parameters = (*parameters, *weights)
        return Ready(known, names, x_seqs, states, parameters, dtype, enlarged, couplings)


class Ready(NamedTuple):
    r"""What a program needs of a call.

    Arguments:
        known: The node's trace.
        names: The names of its states.
        x_seqs: Its inputs [T, N, \*], of one floating-point dtype.
        states: Its states, [N, \*].
        parameters: The values that are the same at every step; last, the maps' weights.
        dtype: The dtype of the spikes.
        enlarged: What is wrong with a parameter that does not broadcast to the input, or None.
        couplings: The linear maps that states go through.
    """

    known: Traced
    names: tuple[str, ...]
    x_seqs: tuple[Tensor, ...]
    states: tuple[Tensor, ...]
    parameters: tuple[Parameter, ...]
    dtype: torch.dtype
    enlarged: str | None
    couplings: tuple[coupling.Coupling, ...] = ()


def _floating(x: Tensor) -> torch.dtype:
    return x.dtype if x.is_floating_point() else torch.float32


def _same_dtype(inputs: Sequence[Tensor], dtype: torch.dtype) -> tuple[Tensor, ...]:
    dtype = functools.reduce(torch.promote_types, map(_floating, inputs), dtype)
    return tuple(x if x.dtype == dtype else x.to(dtype) for x in inputs)


def _why_not_inputs(inputs: Sequence[Any]) -> str | None:
    first = inputs[0]
    for x in inputs:
        if type(x) not in PLAIN:
            return f"an input is a {type(x).__name__}, not a plain tensor"
        if x.layout != torch.strided or x.device.type == "meta":
            return f"an input is a tensor without plain storage ({x.layout}, {x.device})"
        if x.is_floating_point() and x.dtype not in DTYPES:
            return f"an input is {x.dtype}"
        if x is first:
            continue
        if x.shape != first.shape or x.device != first.device:
            return (
                f"inputs differ: {list(first.shape)} on {first.device} and {list(x.shape)} on "
                f"{x.device}"
            )
        if (x.dtype == torch.float64) != (first.dtype == torch.float64):
            return f"inputs are {first.dtype} and {x.dtype}"
    return None


def _why_not_states(names: Sequence[str], states: Sequence[Any], x_seq: Tensor) -> str | None:
    precision = torch.float64 if x_seq.dtype == torch.float64 else torch.float32
    for name, state in zip(names, states, strict=True):
        if type(state) not in PLAIN:
            return f"its memory {name} is a {type(state).__name__}, not a plain tensor"
        if state.dtype != precision or state.shape != x_seq.shape[1:]:
            return f"its memory {name} is {state.dtype} of shape {list(state.shape)}"
    return None


def _why_not_plain(parameters: Sequence[Any]) -> str | None:
    for p in parameters:
        if isinstance(p, Tensor) and type(p) not in PLAIN:
            return f"a parameter is a {type(p).__name__}, not a plain tensor"
    return None


def why_not_parameters(parameters: Sequence[Any], x_seq: Tensor) -> str | None:
    """Why no program takes these parameters for a sequence, or None."""
    for p in parameters:
        if not isinstance(p, Tensor):
            continue
        # A tensor of no dimension does not widen what has some.
        widens = p.dim() > 0 or x_seq.dim() < 2
        if p.is_complex():
            return f"a parameter is {p.dtype}"
        if p.device != x_seq.device and p.dim() > 0:
            return f"a parameter is on {p.device} but the input is on {x_seq.device}"
        if p.dtype == torch.float64 and widens and x_seq.dtype != torch.float64:
            return (
                f"a float64 parameter of shape {list(p.shape)} makes the states float64 for a "
                f"{x_seq.dtype} input: call net.float()"
            )
    return None


def _enlarged(parameters: Sequence[Any], x_seq: Tensor) -> str | None:
    step = x_seq.shape[1:]
    for p in parameters:
        if isinstance(p, Tensor) and p.dim() > 0 and not _broadcasts(p.shape, step):
            return (
                f"a parameter of shape {list(p.shape)} does not broadcast to the input "
                f"{list(step)}: give it one value per neuron, or [C, 1, 1] per channel"
            )
    return None


def _broadcasts(shape: torch.Size, to: torch.Size) -> bool:
    if len(shape) > len(to):
        return False
    return all(a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False))
