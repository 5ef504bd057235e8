"""What the equations read: numbers, tensors and parameters, and the checks of them."""

import math
import numbers
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "Scalar",
    "check_count",
    "check_finite",
    "check_flag",
    "check_number",
    "check_positive",
    "check_real",
    "finite_threshold",
    "precise",
    "show",
]

Scalar = float | Tensor
"""A number, a tensor (per channel, per neuron), or an nn.Parameter."""


def finite_threshold(v_threshold: Scalar) -> Scalar:
    """The amount a soft reset subtracts: 0 for an infinite threshold, which is never reached.

    Written out, 0 spikes times an infinite threshold is nan.
    """
    if isinstance(v_threshold, Tensor):
        return torch.where(torch.isinf(v_threshold), 0.0, v_threshold)
    return 0.0 if abs(v_threshold) == math.inf else v_threshold


def precise(value: Scalar) -> Tensor:
    """A number as a tensor in double precision, for functions of it; a tensor as it is.

    Of a number that the equations read, ``precise(self.dt).exp()`` is what ``math.exp`` gives,
    and a new number is no new kernel.
    """
    return value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float64)


def check_real(name: str, value: Tensor) -> None:
    """Raise a TypeError or ValueError unless the values are real numbers."""
    if value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name} must have real values, got {value.dtype}")
    if value.is_floating_point() and bool(value.detach().isnan().any()):
        raise ValueError(f"{name} must have values that are numbers, got nan among them")


def check_number(name: str, value: Any) -> float:
    """Return a real number as a float.

    Raises:
        TypeError: It is something else (a bool, a string).
        ValueError: It is nan.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name} must be a number, a tensor or an nn.Parameter, got {value!r} "
            f"({type(value).__name__})"
        )
    if math.isnan(value):
        raise ValueError(f"{name} must be a number, got nan")
    return float(value)


def check_finite(name: str, value: Any) -> None:
    """Raise a ValueError where a value is infinite."""
    if not bool(torch.as_tensor(value).isfinite().all()):
        raise ValueError(f"{name} must be finite, got {show(value)}")


def check_positive(name: str, value: Scalar, unit: str = "") -> None:
    """Raise a ValueError unless every value is finite and greater than 0."""
    values = torch.as_tensor(value).detach()
    if not bool(((values > 0) & values.isfinite()).all()):
        what = f"{name} must be finite and greater than 0{unit and f' ({unit})'}"
        given = f"values from {values.min().item()} to {values.max().item()}"
        raise ValueError(f"{what}, got {given if values.dim() else show(value)}")


def check_count(name: str, value: Any) -> int:
    """Return a whole number of at least 1.

    Raises:
        TypeError: It is not an int.
        ValueError: It is less than 1.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int of at least 1, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be an int of at least 1, got {value}")
    return value


def check_flag(name: str, value: Any) -> bool:
    """Return a bool.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def show(value: Scalar) -> str:
    """A number, or a tensor by its shape."""
    if isinstance(value, Tensor):
        kind = "Parameter" if isinstance(value, nn.Parameter) else "tensor"
        return f"{value.item():.4g}" if value.dim() == 0 else f"{kind}{list(value.shape)}"
    return f"{value}"
