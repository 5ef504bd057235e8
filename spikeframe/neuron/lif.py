"""The leaky integrate-and-fire neuron."""

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor

from .base_node import BaseNode
from .parameter import Scalar, check_flag, check_number, check_positive, show

__all__ = ["LIFNode"]


class LIFNode(BaseNode):
    r"""Leaky integrate-and-fire neuron.

    .. math::
        H[t] &= V[t-1] + \tfrac{1}{\tau} (X[t] - (V[t-1] - V_{reset}))
            \quad\text{(decay\_input)} \\
        H[t] &= V[t-1] - \tfrac{1}{\tau} (V[t-1] - V_{reset}) + X[t]
            \quad\text{(otherwise)} \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    The leak is towards :math:`V_{reset}`, or 0 with a soft reset. The order of operations is
    SpikingJelly 2.0.0's, so spikes are equal to its, bit for bit. (Its release 0.0.0.0.14 writes
    the second form as :math:`V (1 - 1/\tau) + X`, which rounds differently.)

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps: a number, a tensor that
            broadcasts to the input (per channel [C, 1, 1], per neuron), or an nn.Parameter.
        decay_input: Divide the input by :math:`\tau` too.
        v_threshold: Threshold :math:`V_{th}`; like tau, a number, tensor or nn.Parameter.
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
        ValueError: tau is not greater than 1, or another argument is outside of what is allowed.
    References:
        | Neuronal Dynamics (Gerstner, Kistler, Naud, Paninski, 2014), section 1.3
        | https://neuronaldynamics.epfl.ch/online/Ch1.S3.html

    Example:
        >>> import torch
        >>> node = LIFNode(tau=2.0, step_mode="m")
        >>> node(torch.full((4, 1), 1.5)).flatten()
        tensor([0., 1., 0., 1.])
        >>> node.v
        tensor([0.])
    """

    tau: Scalar

    def __init__(
        self,
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
        self.set_parameter("tau", tau)
        check_tau("tau", self.tau)
        self.decay_input = check_flag("decay_input", decay_input)

    @classmethod
    def from_rc(
        cls, r: float, c: float, dt: float = 1e-3, *, method: str = "euler", **options: Any
    ) -> Self:
        r"""The neuron of an electric circuit, whose input is the voltage :math:`R I`.

        .. math::
            \tau = RC / dt \quad\text{(euler)} \qquad
            \tau = 1 / (1 - e^{-dt / RC}) \quad\text{(exp)}

        Arguments:
            r: Resistance R of the membrane, such as in ohms.
            c: Capacitance C of the membrane, in farads then.
            dt: Length of a step, in the unit of :math:`RC`, seconds then.
            method: 'euler' for the forward Euler step, 'exp' for the exact decay of a step.
            options: Further arguments of the node.
        Raises:
            ValueError: r, c or dt is not greater than 0, the method is unknown, or a step is too
                long for it.

        Example:
            >>> LIFNode.from_rc(r=5.0, c=1e-3, dt=1e-3).tau
            5.0
        """
        for name, value in {"r": r, "c": c, "dt": dt}.items():
            check_positive(name, check_number(name, value))
        if method not in ("euler", "exp"):
            raise ValueError(f"method must be 'euler' or 'exp', got {method!r}")
        steps = r * c / dt
        return cls(tau=steps if method == "euler" else -1 / math.expm1(-1 / steps), **options)

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak towards the reset potential and integrate."""
        rest = leak_target(self.v_reset)
        if self.decay_input:
            self.v = self.v + (x - (self.v - rest)) / self.tau
        else:
            self.v = self.v - (self.v - rest) / self.tau + x

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"{super().extra_repr()}, decay_input={self.decay_input}"


def leak_target(v_reset: Scalar | None) -> Scalar:
    """The potential a leaky membrane decays to: v_reset, or 0 with a soft reset."""
    return 0.0 if v_reset is None else v_reset


def check_tau(name: str, tau: Scalar) -> None:
    """Raise a ValueError unless every time constant is finite and greater than 1."""
    values = torch.as_tensor(tau).detach()
    smallest, largest = values.min().item(), values.max().item()
    what = f"{show(tau)} with values from {smallest} to {largest}" if values.dim() else f"{tau}"
    if not largest < math.inf:
        raise ValueError(
            f"{name} must be finite and greater than 1 (in time steps), got {what}: for a "
            "membrane without leak use IFNode"
        )
    if not smallest > 1.0:
        raise ValueError(
            f"{name} must be finite and greater than 1 (in time steps), got {what}: tau = 1 "
            "forgets everything at each step"
        )
