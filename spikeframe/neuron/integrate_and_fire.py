"""The integrate-and-fire neuron."""

from torch import Tensor

from .base_node import BaseNode

__all__ = ["IFNode"]


class IFNode(BaseNode):
    r"""Integrate-and-fire neuron: a perfect integrator, without leak.

    .. math::
        H[t] &= V[t-1] + X[t] \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    Arguments:
        v_threshold: Threshold :math:`V_{th}`: a number, a tensor that broadcasts to the input
            (per channel [C, 1, 1], per neuron), or an nn.Parameter.
        v_reset: Reset potential :math:`V_{reset}`, likewise; None subtracts the threshold.
        surrogate_function: The spike with its surrogate gradient; ``surrogate.Sigmoid()`` by
            default.
        detach_reset: Keep the reset's dependence on the spike out of the backward.
        step_mode: 's' for one step per call, 'm' for a sequence.
        backend: 'auto', 'eager', 'torch', 'cpp', 'triton' or 'cupy'.
        store_v_seq: Keep V of all steps as ``v_seq``.
        store_state_seqs: Keep every state of all steps, as ``state_seqs`` by name.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | Incorporating Learnable Membrane Time Constant to Enhance Learning of Spiking Neural
          Networks (Fang et al., 2021), whose charge, fire and reset are these
        | https://arxiv.org/abs/2007.05785

    Example:
        >>> import torch
        >>> node = IFNode()
        >>> [node(torch.tensor(0.4)).item() for _ in range(4)]
        [0.0, 0.0, 1.0, 0.0]
    """

    def neuronal_charge(self, x: Tensor) -> None:
        """Integrate."""
        self.v = self.v + x
