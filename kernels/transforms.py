"""What torch.func's transforms, and forward mode, make of a call."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["FORWARD_MODE", "SECOND", "differentiated_levels", "is_transformed", "why_not"]

_functorch = torch._C._functorch

_REMEDY = "use backend='eager', for a whole net functional.set_backend(net, 'eager')"
SECOND = (
    "this backend differentiates once and in reverse (no create_graph=True, no vmap over a "
    f"backward): {_REMEDY}"
)
FORWARD_MODE = (
    "this backend has no forward-mode derivative (torch.func.jvp, torch.autograd.forward_ad): "
    f"{_REMEDY}"
)


def is_transformed() -> bool:
    """Whether a transform of torch.func is at work."""
    return _functorch.peek_interpreter_stack() is not None


def why_not(tensors: Iterable[Tensor]) -> str | None:
    """Why only the node's own lines can be differentiated as is asked here, or None."""
    if forward_ad._current_level >= 0:
        return FORWARD_MODE
    if (
        is_transformed()
        and len({level for t in tensors for level in differentiated_levels(t)}) > 1
    ):
        return SECOND
    return None


def differentiated_levels(tensor: Tensor) -> Iterator[int]:
    """The levels of transforms at which a tensor requires a gradient; 0 is outside of them."""
    while _functorch.is_functorch_wrapped_tensor(tensor):
        if tensor.requires_grad:
            yield _functorch.maybe_get_level(tensor)
        tensor = _functorch.get_unwrapped(tensor)
    if tensor.requires_grad:
        yield 0
