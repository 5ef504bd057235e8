"""Checks of the numbers that a surrogate is built with."""

import math
from numbers import Integral, Real
from typing import Any

__all__ = ["flag", "nonnegative", "number", "positive", "whole"]


def number(name: str, value: Any, infinite: bool = False) -> float:
    """Returns value as a float if it is a finite number, or where allowed an infinite one."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if math.isnan(value) or (math.isinf(value) and not infinite):
        allowed = "a number" if infinite else "a finite number"
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return float(value)


def positive(name: str, value: Any, above: float = 0.0) -> float:
    """Returns value as a float if it is finite and greater than above."""
    checked = number(name, value)
    if checked <= above:
        raise ValueError(f"{name} must be greater than {above:g}, got {value!r}")
    return checked


def nonnegative(name: str, value: Any) -> float:
    """Returns value as a float if it is finite and at least 0."""
    checked = number(name, value)
    if checked < 0:
        raise ValueError(f"{name} must be at least 0, got {value!r}")
    return checked


def whole(name: str, value: Any, at_least: int) -> int:
    """Returns value as an int if it is an integer of at least at_least."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value!r}")
    return int(value)


def flag(name: str, value: Any) -> bool:
    """Returns value if it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value
