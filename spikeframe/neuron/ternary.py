"""Neurons that fire spikes of both signs."""

from typing import Any

import torch
from torch import Tensor

from .base_node import BaseNode
from .integrate_and_fire import IFNode
from .lif import LIFNode
from .parameter import check_positive, show

__all__ = ["TernaryIFNode", "TernaryLIFNode"]


class _Ternary(BaseNode):
    """Fires and resets by both thresholds, whatever the charge."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_positive("v_threshold", self.v_threshold)
        if self.v_reset is None:
            return
        if not bool((abs(torch.as_tensor(self.v_reset)) < self.v_threshold).all()):
            raise ValueError(
                "v_reset must lie between -v_threshold and v_threshold, got "
                f"v_reset={show(self.v_reset)} and v_threshold={show(self.v_threshold)}"
            )

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """Charge, fire up and down, reset."""
        self.v_float_to_tensor(x)
        self.neuronal_charge(x, *inputs)
        up = self.surrogate_function(self.v - self.v_threshold)
        down = self.surrogate_function(-self.v - self.v_threshold)
        # A soft reset gives back what was fired, a hard one asks only whether it fired.
        self.neuronal_reset(up - down if self.v_reset is None else up + down)
        return up - down


class TernaryIFNode(_Ternary, IFNode):
    r"""Integrate-and-fire neuron with spikes of both signs.

    .. math::
        H[t] &= V[t-1] + X[t] \\
        S[t] &= \Theta(H[t] - V_{th}) - \Theta(-H[t] - V_{th}) \\
        V[t] &= |S[t]| V_{reset} + (1 - |S[t]|) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    Arguments:
        v_threshold: Threshold :math:`V_{th} > 0`; its negative is the other one.
        v_reset: Reset potential between the thresholds, or None for the soft reset.
        surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'; the output is -1,
            0 or 1.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: v_threshold is not finite and greater than 0, or v_reset not between the
            thresholds.
    References:
        | Ternary Spike: Learning Ternary Spikes for Spiking Neural Networks (Guo et al., 2024)
        | https://arxiv.org/abs/2312.06372

    Example:
        >>> node = TernaryIFNode(step_mode="m")
        >>> node(torch.tensor([[0.6], [0.6], [-0.7], [-0.7]])).flatten()
        tensor([ 0.,  1.,  0., -1.])
    """


class TernaryLIFNode(_Ternary, LIFNode):
    r"""Leaky integrate-and-fire neuron with spikes of both signs.

    .. math::
        S[t] &= \Theta(H[t] - V_{th}) - \Theta(-H[t] - V_{th}) \\
        V[t] &= |S[t]| V_{reset} + (1 - |S[t]|) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    The charge :math:`H` is that of :class:`LIFNode`.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        decay_input: Divide the input by :math:`\tau` too.
        v_threshold: Threshold :math:`V_{th} > 0`; its negative is the other one.
        v_reset: Reset potential between the thresholds, or None for the soft reset.
        surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'; the output is -1,
            0 or 1.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, v_threshold is not finite and greater than 0, or
            v_reset not between the thresholds.
    References:
        | Ternary Spike: Learning Ternary Spikes for Spiking Neural Networks (Guo et al., 2024)
        | https://arxiv.org/abs/2312.06372

    Example:
        >>> node = TernaryLIFNode(step_mode="m")
        >>> node(torch.tensor([[2.0], [1.0], [-2.5], [-2.5]])).flatten()
        tensor([ 1.,  0., -1., -1.])
    """
