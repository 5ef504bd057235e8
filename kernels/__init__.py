"""The engine: runs a neuron's step over a whole sequence, on the backend that fits."""

from .backend import BACKENDS, NAMES, Backend, check_name, choose, explain, why_not
from .eager import multi_step

__all__ = [
    "BACKENDS",
    "NAMES",
    "Backend",
    "check_name",
    "choose",
    "explain",
    "multi_step",
    "why_not",
]
