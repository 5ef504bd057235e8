"""The engine: runs a neuron's step over a whole sequence, on the backend that fits."""

from . import operations as operations
from .backend import BACKENDS, NAMES, Backend, check_name, choose, explain, why_not
from .call import Call
from .eager import check_sequences, loop_over_time

__all__ = [
    "BACKENDS",
    "NAMES",
    "Backend",
    "Call",
    "check_name",
    "check_sequences",
    "choose",
    "explain",
    "loop_over_time",
    "why_not",
]
