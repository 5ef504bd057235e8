"""The resonate-and-fire neuron."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .base_node import BaseNode
from .parameter import Scalar, check_positive, precise

__all__ = ["RAFNode"]


class RAFNode(BaseNode):
    r"""Resonate-and-fire neuron: a damped rotation, which inputs in its rhythm drive to fire.

    .. math::
        U'[t] &= e^{b\,dt} (U[t-1] \cos(\omega\,dt) - V[t-1] \sin(\omega\,dt)) + X[t] \\
        H[t] &= e^{b\,dt} (U[t-1] \sin(\omega\,dt) + V[t-1] \cos(\omega\,dt)) \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    The input drives the current-like part U, which the rotation turns into the membrane
    potential V a step later; a spike resets V and leaves U.

    Arguments:
        b: Damping :math:`b < 0`, per unit of time.
        omega: Angular frequency :math:`\omega > 0`, radians per unit of time.
        dt: Length of a step :math:`dt > 0`, in that unit.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
        u: current-like part of the oscillation, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: b is not less than 0, or omega or dt not greater.
    References:
        | Resonate-and-Fire Neurons (Izhikevich, 2001)
        | https://doi.org/10.1016/S0893-6080(01)00078-8

    Example:
        >>> node = RAFNode(b=-0.1, omega=torch.pi / 4, step_mode="m")
        >>> def spikes(period):
        ...     node.reset()
        ...     pulses = torch.arange(40) % period == 0
        ...     return int(node(pulses.float()).sum())
        >>> spikes(6), spikes(8), spikes(10)  # pi / 4 per step is a period of 8 steps
        (0, 2, 0)
    """

    u: Any
    b: Scalar
    omega: Scalar
    dt: Scalar

    def __init__(
        self,
        b: Scalar = -0.2,
        omega: Scalar = 1.0,
        dt: Scalar = 1.0,
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
        self.set_parameters(b=b, omega=omega, dt=dt)
        if not bool((torch.as_tensor(self.b) < 0).all()):
            raise ValueError(f"b must be less than 0, as it damps the oscillation, got {b}")
        check_positive("omega", self.omega)
        check_positive("dt", self.dt)
        self.register_memory("u", 0.0)

    def neuronal_charge(self, x: Tensor) -> None:
        """Rotate and shrink; the input drives the current-like part."""
        angle = precise(self.omega * self.dt)
        shrink, cos, sin = precise(self.b * self.dt).exp(), angle.cos(), angle.sin()
        u, v = self.u, self.v
        self.u = shrink * (u * cos - v * sin) + x
        self.v = shrink * (u * sin + v * cos)
