"""What the equations read: numbers, tensors and parameters, and the checks of them."""

from ..base.parameter import (
    Scalar,
    check_count,
    check_finite,
    check_flag,
    check_number,
    check_positive,
    check_real,
    finite_threshold,
    precise,
    show,
)

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
