"""The leaky integrate-and-fire neuron with an analog output."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .lif import LIFNode
from .parameter import check_flag

__all__ = ["LIAFNode"]


class LIAFNode(LIFNode):
    r"""Leaky integrate-and-analog-fire neuron: spikes reset it, an activation is its output.

    .. math::
        Y[t] = f(H[t] - V_{th}) \quad\text{(threshold\_related)} \quad\text{or}\quad
        Y[t] = f(H[t])

    Charge :math:`H`, spike and reset are those of :class:`LIFNode`. (SpikingJelly's gives spikes
    instead of the activation in step mode 'm'.)

    Arguments:
        act: The activation :math:`f`, elementwise, such as ``torch.relu``. A function of torch is
            part of a fused kernel; a module runs with backend 'eager'.
        threshold_related: Feed it the distance from the threshold.
        args, kwargs: As of :class:`LIFNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
    Raises:
        TypeError: act is not callable, or another argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | LIAF-Net: Leaky Integrate and Analog Fire Network for Lightweight and Efficient
          Spatiotemporal Information Processing (Wu et al., 2020)
        | https://arxiv.org/abs/2011.06176

    Example:
        >>> import torch
        >>> node = LIAFNode(torch.relu, False, step_mode="m")
        >>> node(torch.full((4, 1), 1.5)).flatten()
        tensor([0.7500, 1.1250, 0.7500, 1.1250])
    """

    def __init__(
        self, act: Callable[[Tensor], Tensor], threshold_related: bool, *args: Any, **kwargs: Any
    ) -> None:
        if not callable(act) or isinstance(act, type):
            raise TypeError(f"act must be a function, such as torch.relu, got {act!r}")
        super().__init__(*args, **kwargs)
        self.act = act
        self.threshold_related = check_flag("threshold_related", threshold_related)

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """Charge, activate, fire, reset."""
        self.v_float_to_tensor(x)
        self.neuronal_charge(x, *inputs)
        y = self.act(self.v - self.v_threshold if self.threshold_related else self.v)
        self.neuronal_reset(self.neuronal_fire())
        return y

    def extra_repr(self) -> str:
        """The arguments, for print."""
        name = getattr(self.act, "__name__", type(self.act).__name__)
        return f"{super().extra_repr()}, act={name}, threshold_related={self.threshold_related}"
