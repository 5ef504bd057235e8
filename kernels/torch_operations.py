"""The torch function of each operation, writing into a given tensor."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["function", "is_boolean"]

Function = Callable[..., Any]


def _copy(a: Tensor, out: Tensor) -> Tensor:
    return out.copy_(a)


def _isnan(a: Tensor, out: Tensor) -> Tensor:
    return torch.ne(a, a, out=out)


_COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")

_BOOLEAN: dict[str, Function] = {
    **{name: getattr(torch, name) for name in _COMPARISONS},
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "isnan": _isnan,
}

_NUMERIC: dict[str, Function] = {
    **{
        name: getattr(torch, name)
        for name in (
            *("add", "sub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "sin", "cos"),
            *("sigmoid", "tanh", "maximum", "minimum", "round", "floor", "ceil", "sign"),
            *("where", "addcmul", "addcdiv"),
        )
    },
    **{f"float_{name}": getattr(torch, name) for name in _COMPARISONS},
    "addcmul-": functools.partial(torch.addcmul, value=-1),
    "addcdiv-": functools.partial(torch.addcdiv, value=-1),
    "relu": functools.partial(torch.clamp_min, min=0.0),
    "float": _copy,
    "copy": _copy,
}


def function(op: str) -> Function:
    """The function of an operation: operands, then ``out=``."""
    return _BOOLEAN[op] if op in _BOOLEAN else _NUMERIC[op]


def is_boolean(op: str) -> bool:
    """Whether the result is a truth value."""
    return op in _BOOLEAN
