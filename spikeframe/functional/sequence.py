"""Runs an operation once over a sequence: folds time into the batch, or takes one step of many.

A sequence is static where it is an expanded view over time (stride 0: one step shown T times, as
``x.expand(T, *x.shape)`` makes it). What is the same at every step is then computed once.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from ..base.entry import fold

__all__ = ["fold", "is_static", "one_step", "repeat", "unfold"]

# The views that repeat a step over time; the walk to the step ends at any other node.
_REPEATING_VIEWS = ("ExpandBackward0", "PermuteBackward0", "UnsqueezeBackward0")


def unfold(outputs: Any, x_seq: Tensor) -> Any:
    r"""[T N, \*] -> [T, N, \*] as in ``x_seq``, for a tensor or a tuple of them."""
    if isinstance(outputs, tuple):
        return tuple(unfold(output, x_seq) for output in outputs)
    return outputs.unflatten(0, x_seq.shape[:2])


def is_static(x_seq: Tensor) -> bool:
    """Whether the sequence is one step shown more than once without a copy."""
    return x_seq.shape[0] > 1 and x_seq.stride(0) == 0


def one_step(x_seq: Tensor) -> Tensor:
    r"""The step [N, \*] of a static sequence.

    Where it is at hand, this is the tensor that was expanded: indexing the sequence instead would
    make its backward fill [T, N, \*] with zeros.
    """
    base = x_seq._base
    return base if base is not None and _repeats(x_seq, base) else x_seq[0]


def repeat(outputs: Any, steps: int) -> Any:
    r"""[N, \*] -> [T, N, \*] as a static sequence, for a tensor or a tuple of them."""
    if isinstance(outputs, tuple):
        return tuple(repeat(output, steps) for output in outputs)
    if not outputs.requires_grad or outputs.is_contiguous():
        return outputs.expand(steps, *outputs.shape)
    # The backward sums over time into a contiguous tensor: of dimensions in the order in which
    # they are stored, that has the layout of the step, such as channels last.
    stored = sorted(range(outputs.dim()), key=outputs.stride, reverse=True)
    back = [0, *(stored.index(i) + 1 for i in range(outputs.dim()))]
    ordered = outputs.permute(stored)
    return ordered.expand(steps, *ordered.shape).permute(back)


def _repeats(x_seq: Tensor, base: Tensor) -> bool:
    """Whether ``x_seq`` is ``base`` expanded over time, for autograd and its hooks too."""
    if torch.compiler.is_compiling() or not (x_seq.requires_grad and base.requires_grad):
        return False
    if x_seq.retains_grad or x_seq._backward_hooks:
        return False
    same_layout = (base.shape, base.stride(), base.storage_offset()) == (
        x_seq.shape[1:],
        x_seq.stride()[1:],
        x_seq.storage_offset(),
    )
    return same_layout and _first_other_node(x_seq.grad_fn) == get_gradient_edge(base).node


def _first_other_node(node: Any) -> Any:
    while node is not None and node.name() in _REPEATING_VIEWS:
        node = node.next_functions[0][0]
    return node
