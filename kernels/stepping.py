"""Runs single steps by a kernel, once a node has made so many that building one pays.

A step on its own is little work: only a kernel whose call comes again costs less than the node's
own lines (half of them or less on the CPU). What it gives equals them as a sequence does.
"""

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._dynamo import eval_frame

from . import capture, replay
from .backend import choose
from .call import Call, Ready

__all__ = ["is_counted", "stepped"]

# So many steps run by the node's lines before one is run, or tried again, by a kernel: then after
# twice as many, and so on.
PATIENCE = 16

# The backends that a single step is not faster on.
_SLOWER = ("torch", "eager")

_STEPS: "weakref.WeakKeyDictionary[Any, int]" = weakref.WeakKeyDictionary()


def is_counted() -> bool:
    """Whether somebody sees what steps save for their backward.

    A checkpoint does, and expects of its recomputation the same number of tensors: lines and
    kernels save others.
    """
    return torch._C._autograd._top_saved_tensors_default_hooks(False) is not None


def stepped(node: Any, inputs: Sequence[Any]) -> Tensor | None:
    r"""The spikes [1, N, \*] of a step whose states fit, or None where the lines are to run.

    Arguments:
        node: The node, whose states become those after the step.
        inputs: The inputs of the step, [1, N, \*].
    """
    count = _STEPS[node] = _STEPS.get(node, 0) + 1
    if count < PATIENCE or count & (count - 1) or capture.is_captured(inputs):
        return None
    if callable(eval_frame.get_eval_frame_callback()):
        return None  # it would compile the engine's own functions
    call = Call(node, inputs)
    if isinstance(call.ready, Ready) and call.ready.couplings:
        return None  # a product for each step is most of it, and it is the same one
    row = choose(node, "auto", inputs[0].device, call)
    if row.engine is None or row.name in _SLOWER:
        return None
    return replay.run(row.engine, call, at_once=True)
