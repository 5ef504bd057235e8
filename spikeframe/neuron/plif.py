"""The leaky integrate-and-fire neuron that learns its time constant."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .base_node import BaseNode
from .lif import check_tau, leak_target
from .parameter import Scalar, check_flag, check_number, show

__all__ = ["ParametricLIFNode"]


class ParametricLIFNode(BaseNode):
    r"""Leaky integrate-and-fire neuron with a learned membrane time constant.

    .. math::
        \tfrac{1}{\tau} &= \sigma(w) \\
        H[t] &= V[t-1] + \sigma(w) (X[t] - (V[t-1] - V_{reset}))
            \quad\text{(decay\_input)} \\
        H[t] &= V[t-1] - \sigma(w) (V[t-1] - V_{reset}) + X[t]
            \quad\text{(otherwise)} \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    Arguments:
        init_tau: Initial time constant :math:`\tau > 1`, in time steps: a number (one ``w`` for
            the layer) or a tensor that broadcasts to the input (per channel [C, 1, 1]).
        decay_input: Scale the input by :math:`\sigma(w)` too.
        v_threshold: Threshold :math:`V_{th}`: a number, a tensor that broadcasts to the input,
            or an nn.Parameter.
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
        ValueError: init_tau is not greater than 1, or another argument is outside of what is
            allowed.
    References:
        | Incorporating Learnable Membrane Time Constant to Enhance Learning of Spiking Neural
          Networks (Fang et al., 2021)
        | https://arxiv.org/abs/2007.05785

    Example:
        >>> node = ParametricLIFNode(init_tau=3.0)
        >>> [name for name, _ in node.named_parameters()], round(node.tau.item(), 4)
        (['w'], 3.0)
    """

    def __init__(
        self,
        init_tau: Scalar = 2.0,
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
            v_threshold,
            v_reset,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        if not isinstance(init_tau, Tensor):
            init_tau = check_number("init_tau", init_tau)
        check_tau("init_tau", init_tau)
        self.decay_input = check_flag("decay_input", decay_input)
        # 1 / tau = sigmoid(w), so w = -log(tau - 1); in double, as rounding tau - 1 first loses w.
        tau = torch.as_tensor(init_tau, dtype=torch.float64).detach()
        self.w = nn.Parameter((-(tau - 1.0).log()).to(torch.get_default_dtype()))

    @property
    def tau(self) -> Tensor:
        """The time constant now, in time steps."""
        return 1.0 / self.w.sigmoid()

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak towards the reset potential and integrate."""
        rest, decay = leak_target(self.v_reset), self.w.sigmoid()
        if self.decay_input:
            self.v = self.v + (x - (self.v - rest)) * decay
        else:
            self.v = self.v - (self.v - rest) * decay + x

    def extra_repr(self) -> str:
        """The arguments, for print."""
        tau = show(self.tau.detach())
        return f"{super().extra_repr()}, tau={tau}, decay_input={self.decay_input}"
