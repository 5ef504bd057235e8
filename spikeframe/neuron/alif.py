"""The leaky integrate-and-fire neuron with an adaptive threshold."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .lif import LIFNode
from .parameter import Scalar, check_positive

__all__ = ["ALIFNode"]


class ALIFNode(LIFNode):
    r"""Leaky integrate-and-fire neuron whose threshold every spike raises for a while.

    .. math::
        H[t] &= V[t-1] + \tfrac{1}{\tau} (X[t] - (V[t-1] - V_{reset}))
            \quad\text{or as}~\texttt{LIFNode}~\text{without decay\_input} \\
        S[t] &= \Theta(H[t] - (V_{th} + \beta A[t-1])) \\
        A[t] &= A[t-1] - \tfrac{1}{\tau_a} A[t-1] + S[t] \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    The trace A remembers spikes for about :math:`\tau_a` steps, long after the membrane has
    forgotten them. A soft reset subtracts :math:`V_{th}`, not the raised threshold.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        tau_a: Time constant of the adaptation :math:`\tau_a > 0`, in time steps.
        beta: Raise of the threshold per spike :math:`\beta`.
        decay_input: Divide the input by :math:`\tau` too.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
        a: trace of the spikes, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, or tau_a not than 0.
    References:
        | A Solution to the Learning Dilemma for Recurrent Networks of Spiking Neurons
          (Bellec et al., 2020)
        | https://doi.org/10.1038/s41467-020-17236-y

    Example:
        >>> import torch
        >>> node = ALIFNode(beta=0.4, step_mode="m")
        >>> node(torch.full((12, 1), 2.5)).flatten()
        tensor([1., 0., 1., 0., 1., 0., 0., 1., 0., 0., 0., 1.])
    """

    a: Any
    tau_a: Scalar
    beta: Scalar

    def __init__(
        self,
        tau: Scalar = 2.0,
        tau_a: Scalar = 20.0,
        beta: Scalar = 0.2,
        decay_input: bool = True,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = 0.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        detach_reset: bool = False,
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
        self.set_parameters(tau_a=tau_a, beta=beta)
        check_positive("tau_a", self.tau_a, "in time steps")
        self.register_memory("a", 0.0)

    def neuronal_fire(self) -> Tensor:
        """The spike, where the membrane reaches the raised threshold."""
        return self.surrogate_function(self.v - (self.v_threshold + self.beta * self.a))

    def neuronal_reset(self, spike: Tensor) -> None:
        """Reset the membrane; remember the spike."""
        super().neuronal_reset(spike)
        self.a = self.a - self.a / self.tau_a + spike
