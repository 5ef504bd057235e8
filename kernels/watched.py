"""Whether a kernel may stand in for an operation of torch's."""

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["TENSORS", "is_plain", "is_watched"]

# A tensor of another class may have no memory of its own, or lines of its own.
TENSORS = (Tensor, torch.nn.Parameter)


def is_plain(tensor: Tensor) -> bool:
    """Whether a kernel reads of a tensor's memory what torch reads of the tensor."""
    return (
        tensor.is_cpu
        and tensor.layout is torch.strided
        and not tensor.is_neg()
        and not torch._C._functorch.is_legacy_batchedtensor(tensor)
    )


def is_watched() -> bool:
    """Whether somebody is to see torch's operations: a mode, a transform, autocast, a trace."""
    return (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._len_torch_function_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._is_tracing()
        or forward_ad._current_level >= 0
        or torch.is_autocast_enabled("cpu")
    )
