"""Recurrence: a neuron that hears its layer's spikes of the last step."""

from typing import Any

import torch
from torch import Tensor, nn

from ..base import TracedModule
from ..base.location import Location
from .parameter import Scalar, check_count

__all__ = ["Feedback", "run_in_own_dtype", "same_padding"]


class Feedback(TracedModule):
    r"""Mixin that keeps a neuron's last spikes and hands them back through weights.

    .. math::
        F[t] = V \odot S[t-1] \quad\text{(one to one)} \quad\text{or}\quad
        F[t] = g(S[t-1]) \quad\text{(} g \text{ a linear map or a convolution)}

    It comes before the neuron's class, whose charge then reads :meth:`feedback`. One to one it
    is part of the kernel. Through torch's own ``nn.Linear``, or ``nn.Conv1d`` to ``nn.Conv3d``,
    each step of a sequence is a product and a kernel; through any other module it is the lines.

    State:
        spk: the spikes of the last step, [N, \*]; 0 before the first.
    """

    recurrent: nn.Module | None
    V: Any
    spk: Any

    def set_feedback(self, weights: Scalar | nn.Module) -> None:
        """Set what the spikes are multiplied by, or the module that they go through."""
        if isinstance(weights, nn.Module):
            self.recurrent = weights
        else:
            self.recurrent = None
            self.set_parameter("V", weights)
        self.register_memory("spk", 0.0)

    def feedback(self) -> Tensor:
        """What comes back of the last step's spikes."""
        if self.recurrent is None:
            return self.spk * self.V
        back: Tensor = run_in_own_dtype(self.recurrent, self.spk)
        if back.shape != self.spk.shape:
            raise ValueError(
                f"{Location(self)}: its feedback makes {list(back.shape)} of spikes "
                f"{list(self.spk.shape)}: it must keep their shape, as nn.Linear(F, F) does"
            )
        return back

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """A step, whose spikes are kept for the next."""
        self.spk = super().single_step_forward(x, *inputs)
        return self.spk


def run_in_own_dtype(module: nn.Module, *states: Any) -> Any:
    """Run a module on tensors (or tuples of them) in the dtype of its weights, and cast back."""
    kept = states[0].dtype
    dtype = next((p.dtype for p in module.parameters()), kept)
    return _cast(module(*_cast(states, dtype)), kept)


def same_padding(kernel_size: int | tuple[int, int]) -> tuple[int, int]:
    """The padding by which a convolution keeps the size of its input."""
    sizes = (kernel_size,) * 2 if isinstance(kernel_size, int) else tuple(kernel_size)
    height, width = (check_count("kernel_size", size) for size in sizes)
    if height % 2 == 0 or width % 2 == 0:
        raise ValueError(
            f"kernel_size must be odd, for a result of the input's size, got {kernel_size}"
        )
    return height // 2, width // 2


def _cast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, tuple):
        return tuple(_cast(item, dtype) for item in value)
    return value.to(dtype)
