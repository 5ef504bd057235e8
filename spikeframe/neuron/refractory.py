"""A refractory period, for any neuron."""

from typing import Any

import torch
from torch import Tensor

from .base_node import BaseNode
from .feedback import Feedback
from .parameter import Scalar, check_positive

__all__ = ["Refractory"]


class Refractory(BaseNode):
    r"""Mixin: a neuron that is deaf and silent for some steps after a spike.

    .. math::
        H[t] &= V[t-1] \text{ and } S[t] = 0 \quad\text{while } R[t-1] > 0 \\
        R[t] &= S[t] \tau_{ref} + (1 - S[t]) \max(R[t-1] - 1, 0)

    Other states (a synaptic current, an adaptation) go on. It is mixed into a class whose spike
    is that of ``neuronal_fire``.

    Arguments:
        args, kwargs: Of the class it is mixed into.
        tau_ref: Refractory period :math:`\tau_{ref} > 0`, in time steps; a number, or a
            tensor.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        wait: steps left of the period, [N, \*]; starts at 0.
    Raises:
        TypeError: The class does not fire by ``neuronal_fire``.
        ValueError: tau_ref is not greater than 0.
    References:
        | Neuronal Dynamics (Gerstner, Kistler, Naud, Paninski, 2014), chapter 1
        | https://neuronaldynamics.epfl.ch/online/Ch1.html

    Example:
        >>> from spikeframe import neuron
        >>> class RefractoryIFNode(neuron.Refractory, neuron.IFNode):
        ...     pass
        >>> node = RefractoryIFNode(tau_ref=2, step_mode="m")
        >>> node(torch.full((7, 1), 2.0)).flatten()
        tensor([1., 0., 0., 1., 0., 0., 1.])
    """

    wait: Any
    tau_ref: Scalar

    def __init__(self, *args: Any, tau_ref: Scalar = 2.0, **kwargs: Any) -> None:
        _check_fires_by_hook(type(self))
        super().__init__(*args, **kwargs)
        self.set_parameter("tau_ref", tau_ref)
        check_positive("tau_ref", self.tau_ref, "in time steps")
        self.register_memory("wait", 0.0)

    def neuronal_charge(self, x: Tensor, *inputs: Any) -> None:
        """Charge, unless it waits."""
        before = self.v
        super().neuronal_charge(x, *inputs)
        self.v = torch.where(self.wait > 0.0, before, self.v)

    def neuronal_fire(self) -> Tensor:
        """The spike, unless it waits."""
        return torch.where(self.wait > 0.0, 0.0, super().neuronal_fire())

    def neuronal_reset(self, spike: Tensor) -> None:
        """Reset; wait after a spike."""
        super().neuronal_reset(spike)
        fired = spike.detach()
        waited = torch.clamp(self.wait - 1.0, min=0.0)
        self.wait = fired * self.tau_ref + (1.0 - fired) * waited


def _check_fires_by_hook(kind: type) -> None:
    """Raise a TypeError where the class that is made refractory has a step of its own."""
    order = kind.__mro__
    for cls in order[order.index(Refractory) + 1 :]:
        if "single_step_forward" in vars(cls) and cls is not Feedback:
            if cls is BaseNode:
                return
            raise TypeError(
                f"Refractory silences neuronal_fire, which {cls.__name__} does not fire by: mix "
                "it into a class that has BaseNode's single_step_forward"
            )
