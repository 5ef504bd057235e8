"""The engine: runs a neuron's step over a whole sequence, on the backend that fits."""

from . import operations as operations
from .backend import BACKENDS, NAMES, Backend, check_name, choose, explain, why_not
from .call import Call
from .capture import run
from .eager import check_sequences, loop_over_time
from .event_driven import event_linear, input_major
from .guards import finds_like_torch
from .mappable import only_checks
from .pooling import max_pool2d
from .recompute import check_save
from .replay import is_kept, replayed
from .stepping import is_counted, stepped

__all__ = [
    "BACKENDS",
    "NAMES",
    "Backend",
    "Call",
    "check_name",
    "check_save",
    "check_sequences",
    "choose",
    "event_linear",
    "explain",
    "finds_like_torch",
    "input_major",
    "is_counted",
    "is_kept",
    "loop_over_time",
    "max_pool2d",
    "only_checks",
    "replayed",
    "stepped",
    "run",
    "why_not",
]
