"""The leaky integrate-and-fire neuron with a learned gain."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .lif import LIFNode
from .parameter import Scalar, check_flag

__all__ = ["KLIFNode"]


class KLIFNode(LIFNode):
    r"""Leaky integrate-and-fire neuron that scales and rectifies its membrane by a learned k.

    .. math::
        H[t] &= \operatorname{relu}(k F[t]), \quad F[t]~\text{the charge of}~\texttt{LIFNode} \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    With ``scale_reset`` the reset is that of :math:`H[t] / k` and :math:`V_{th} / k`, so that
    the membrane keeps its scale from step to step.

    Arguments:
        scale_reset: Take the gain off again before the reset.
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        decay_input: Divide the input by :math:`\tau` too.
        k: Gain k; None makes one that is learned, 1 at first.
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
        | KLIF: An Optimized Spiking Neuron Unit for Tuning Surrogate Gradient Slope and
          Membrane Potential (Jiang, Zhang, 2023)
        | https://arxiv.org/abs/2302.09238

    Example:
        >>> node = KLIFNode(k=1.5, step_mode="m")
        >>> node(torch.full((4, 1), 1.0)).flatten()
        tensor([0., 1., 0., 1.])
    """

    k: Scalar

    def __init__(
        self,
        scale_reset: bool = False,
        tau: Scalar = 2.0,
        decay_input: bool = True,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = 0.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        detach_reset: bool = False,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
        k: Scalar | None = None,
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
        self.scale_reset = check_flag("scale_reset", scale_reset)
        self.set_parameter("k", nn.Parameter(torch.ones(())) if k is None else k)

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak and integrate, scale and rectify."""
        super().neuronal_charge(x)
        self.v = torch.relu(self.k * self.v)

    def neuronal_reset(self, spike: Tensor) -> None:
        """Reset, in the scale of the membrane or of what it was before the gain."""
        if self.scale_reset:
            self.v = self.voltage_reset(self.v / self.k, spike, self.v_threshold / self.k)
        else:
            super().neuronal_reset(spike)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"{super().extra_repr()}, scale_reset={self.scale_reset}"
