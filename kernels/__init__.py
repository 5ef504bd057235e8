"""The engine: runs a neuron's step over a whole sequence, on the backend that fits."""

from . import operations as operations
from .backend import BACKENDS, NAMES, Backend, check_name, choose, explain, why_not
from .call import Call
from .capture import run
from .eager import check_sequences, loop_over_time
from .recompute import check_save

__all__ = [
    "BACKENDS",
    "NAMES",
    "Backend",
    "Call",
    "check_name",
    "check_save",
    "check_sequences",
    "choose",
    "explain",
    "loop_over_time",
    "run",
    "why_not",
]
