"""States that a caller passes: brought into the shape of a step, refused where they do not fit."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...base.location import Location

__all__ = ["fitted", "name_states", "widened"]


def name_states(
    module: Any, names: tuple[str, ...], states: tuple[Any, ...], named: Mapping[str, Any]
) -> dict[str, Any]:
    """The states given by position or by name; those that are None are not given.

    Raises:
        TypeError: There are too many, an unknown or a doubled name, or one that is no tensor.
    """
    given = dict(zip(names, states, strict=False))
    if len(states) > len(names) or given.keys() & named.keys() or named.keys() - set(names):
        raise TypeError(
            f"{Location(module)} takes its input and {', '.join(names)}, got "
            f"{len(states)} states by position and {', '.join(named) or 'none'} by name"
        )
    given.update(named)
    for name, state in given.items():
        if not (state is None or isinstance(state, Tensor | int | float)):
            raise TypeError(
                f"{Location(module)}: {name} must be a tensor, got {type(state).__name__}"
            )
    return {name: state for name, state in given.items() if state is not None}


def widened(x: Tensor, states: Mapping[str, Any]) -> Tensor:
    """A step of fewer dimensions than a state (0-d, or without a batch), spread to its shape."""
    for state in states.values():
        if not isinstance(state, Tensor) or state.numel() == 0 or state.dim() <= x.dim():
            continue
        if _spreads(x.shape, state.shape):
            x = x.expand(state.shape)
    return x


def fitted(module: Any, name: str, state: Any, like: Tensor) -> Tensor:
    """A state in the shape of a step.

    Raises:
        ValueError: It does not broadcast to that shape.
    """
    if isinstance(state, Tensor) and state.shape == like.shape:
        return state
    if not isinstance(state, Tensor):
        state = torch.tensor(float(state), dtype=like.dtype, device=like.device)
    if not _spreads(state.shape, like.shape):
        raise ValueError(
            f"{Location(module)}: {name} has shape {list(state.shape)}, which does not fit a step "
            f"of shape {list(like.shape)}: pass the state of this batch, or begin a new sequence "
            f"with reset_mem()"
        )
    return state.expand(like.shape)


def _spreads(shape: torch.Size, to: torch.Size) -> bool:
    """Whether a shape broadcasts to another one."""
    pairs = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(n in (1, size) for n, size in pairs)
