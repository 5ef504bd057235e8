"""Recurrence: a neuron that hears its layer's spikes of the last step."""

from typing import Any

from torch import Tensor, nn

from ..base import TracedModule
from .parameter import Scalar

__all__ = ["Feedback", "run_in_own_dtype"]


class Feedback(TracedModule):
    r"""Mixin that keeps a neuron's last spikes and hands them back through weights.

    .. math::
        F[t] = V \odot S[t-1] \quad\text{(one to one)} \quad\text{or}\quad
        F[t] = g(S[t-1]) \quad\text{(} g \text{ a linear map or a convolution)}

    It comes before the neuron's class, whose charge then reads :meth:`feedback`. One to one it
    is part of the kernel; through a module the neuron runs step by step.

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
        return run_in_own_dtype(self.recurrent, self.spk)

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """A step, whose spikes are kept for the next."""
        self.spk = super().single_step_forward(x, *inputs)
        return self.spk


def run_in_own_dtype(module: nn.Module, *states: Tensor) -> Any:
    """Run a module on states in the dtype of its weights, and give back the states' dtype."""
    dtype = next((p.dtype for p in module.parameters()), states[0].dtype)
    output = module(*(state.to(dtype) for state in states))
    if isinstance(output, tuple):
        return tuple(value.to(states[0].dtype) for value in output)
    return output.to(states[0].dtype)
