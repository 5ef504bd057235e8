r"""Neurons for training online, a step at a time, without backpropagation through time.

In training mode the membrane forgets its history at every step, so that a step's graph can be
freed as soon as its loss is differentiated (``functional.ottt_online_training``).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..base import SingleStepModule
from .lif import LIFNode
from .parameter import Scalar

__all__ = ["OTTTLIFNode", "SLTTLIFNode"]


class _OnlineLIFNode(LIFNode):
    """A leaky integrate-and-fire neuron whose gradient stays within the step."""

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak and integrate, from a membrane without history."""
        if self.training:
            self.v = self.v.detach()
        super().neuronal_charge(x)


class OTTTLIFNode(SingleStepModule, _OnlineLIFNode):
    r"""Leaky integrate-and-fire neuron for online training through time (OTTT).

    .. math::
        A[t] = (1 - \tfrac{1}{\tau}) A[t-1] + S[t]

    Charge, fire and reset are those of :class:`LIFNode`. In training mode the output is a list,
    the spikes and the trace A of them, for the modules of ``layer.OTTTSequential``: what follows
    computes with the spikes and takes its gradient at the trace. In eval mode it is the spikes.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        decay_input: Divide the input by :math:`\tau` too.
        step_mode: 's', as steps are what the method trains by.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*]; in training mode the output is two of them.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
        trace: trace of the spikes, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: step_mode is 'm', or tau is not greater than 1.
    References:
        | Online Training Through Time for Spiking Neural Networks (Xiao et al., 2022)
        | https://arxiv.org/abs/2210.04195

    Example:
        >>> import torch
        >>> node = OTTTLIFNode()
        >>> node(torch.tensor([1.5])), node(torch.tensor([0.5]))
        ([tensor([1.]), tensor([1.])], [tensor([0.]), tensor([0.5000])])
        >>> node.eval()(torch.tensor([0.5]))
        tensor([0.])
    """

    trace: Any
    returns_trace = True
    """Tells ``layer.OTTTSequential`` that the node takes spikes and gives spikes and trace."""

    def __init__(
        self,
        tau: Scalar = 2.0,
        decay_input: bool = False,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = None,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        detach_reset: bool = True,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        super().__init__(
            tau,
            decay_input,
            v_threshold,
            v_reset,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        self.register_memory("trace", 0.0)

    def neuronal_reset(self, spike: Tensor) -> None:
        """Reset the membrane; in training mode, remember the spike."""
        super().neuronal_reset(spike)
        if self.training:
            # Nor has a learned tau a gradient by it, which would tie the steps together again.
            with torch.no_grad():
                self.trace = self.trace * (1.0 - 1.0 / self.tau) + spike

    def forward(self, x: Tensor, *inputs: Any) -> Any:
        r"""Spikes [N, \*]; in training mode a list of spikes and trace."""
        spikes = super().forward(x, *inputs)
        return [spikes, self.trace] if self.training else spikes


class SLTTLIFNode(_OnlineLIFNode):
    r"""Leaky integrate-and-fire neuron for spatial learning through time (SLTT).

    .. math::
        \frac{\partial V[t]}{\partial V[t-1]} := 0

    Charge, fire and reset are those of :class:`LIFNode`; in training mode no gradient passes from
    one step to another. A sequence ('m') has the gradients of its steps, one at a time ('s') need
    the memory of one step.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        decay_input: Divide the input by :math:`\tau` too.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1.
    References:
        | Towards Memory- and Time-Efficient Backpropagation for Training Spiking Neural Networks
          (Meng et al., 2023)
        | https://arxiv.org/abs/2302.14311

    Example:
        >>> import torch
        >>> node, x = SLTTLIFNode(), torch.ones(1, requires_grad=True)
        >>> (node(x) + node(x.detach())).sum().backward()
        >>> node.v.requires_grad, x.grad > 0
        (False, tensor([True]))
    """

    def __init__(
        self,
        tau: Scalar = 2.0,
        decay_input: bool = True,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = 0.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        detach_reset: bool = True,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        super().__init__(
            tau,
            decay_input,
            v_threshold,
            v_reset,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
