"""The leaky integrate-and-fire neuron with a complementary potential."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .. import surrogate
from .lif import LIFNode
from .parameter import Scalar, finite_threshold

__all__ = ["ComplementaryLIFNode"]


class ComplementaryLIFNode(LIFNode):
    r"""Leaky integrate-and-fire neuron that is reset the more, the more it fired (CLIF).

    .. math::
        H[t] &= V[t-1] - \tfrac{1}{\tau} V[t-1] + X[t] \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        M[t] &= M[t-1] \sigma(H[t] / \tau) + S[t] \\
        V[t] &= H[t] - S[t] (V_{th} + \sigma(M[t]))

    The complementary potential M keeps a path for gradients to early steps.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        v_threshold: Threshold :math:`V_{th}`.
        surrogate_function: The spike with its surrogate gradient; ``surrogate.Rect()`` by
            default.
        detach_reset: Keep the dependence on the spike of V (not of M) out of the backward.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at 0.
        m: complementary potential, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, or another argument is outside of what is allowed.
    References:
        | CLIF: Complementary Leaky Integrate-and-Fire Neuron for Spiking Neural Networks
          (Huang et al., 2024)
        | https://arxiv.org/abs/2402.04663

    Example:
        >>> node = ComplementaryLIFNode(step_mode="m")
        >>> node(torch.full((6, 1), 0.9)).flatten()
        tensor([0., 1., 0., 1., 0., 1.])
    """

    m: Any

    def __init__(
        self,
        tau: Scalar = 2.0,
        v_threshold: Scalar = 1.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        step_mode: str = "s",
        store_state_seqs: bool = False,
        detach_reset: bool = False,
        backend: str = "auto",
        store_v_seq: bool = False,
    ) -> None:
        super().__init__(
            tau,
            False,
            v_threshold,
            None,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        self.register_memory("m", 0.0)

    def default_surrogate(self) -> Callable[[Tensor], Tensor]:
        """A new ``surrogate.Rect()``."""
        return surrogate.Rect()

    def neuronal_reset(self, spike: Tensor) -> None:
        """Remember the spike; subtract the threshold and what is remembered."""
        self.m = self.m * torch.sigmoid(self.v / self.tau) + spike
        spike_d = spike.detach() if self.detach_reset else spike
        self.v = self.v - spike_d * (finite_threshold(self.v_threshold) + torch.sigmoid(self.m))
