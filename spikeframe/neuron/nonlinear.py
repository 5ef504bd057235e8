"""Integrate-and-fire neurons whose membrane takes off by itself before a spike."""

from collections.abc import Callable

import torch
from torch import Tensor

from .base_node import BaseNode
from .lif import check_tau
from .parameter import Scalar, check_positive

__all__ = ["EIFNode", "QIFNode", "exponential", "quadratic"]


class QIFNode(BaseNode):
    r"""Quadratic integrate-and-fire neuron.

    .. math::
        H[t] &= V[t-1] + \tfrac{1}{\tau} (X[t] + a_0 (V[t-1] - V_{rest})(V[t-1] - V_c)) \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    Below :math:`V_c` the membrane decays to :math:`V_{rest}`, above it grows until it fires.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        v_c: Critical potential :math:`V_c`.
        a0: Strength of the quadratic term :math:`a_0 > 0`.
        v_rest: Resting potential :math:`V_{rest}`.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, or a0 not than 0.
    References:
        | Neuronal Dynamics (Gerstner, Kistler, Naud, Paninski, 2014), section 5.3
        | https://neuronaldynamics.epfl.ch/online/Ch5.S3.html

    Example:
        >>> import torch
        >>> node = QIFNode(v_reset=0.0, step_mode="m")
        >>> node(torch.tensor([[1.8], [0.0], [0.0], [0.0]])).flatten()
        tensor([0., 0., 1., 0.])
    """

    tau: Scalar
    v_c: Scalar
    a0: Scalar
    v_rest: Scalar

    def __init__(
        self,
        tau: Scalar = 2.0,
        v_c: Scalar = 0.8,
        a0: Scalar = 1.0,
        v_threshold: Scalar = 1.0,
        v_rest: Scalar = 0.0,
        v_reset: Scalar | None = -0.1,
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
        self.set_parameters(tau=tau, v_c=v_c, a0=a0, v_rest=v_rest)
        check_tau("tau", self.tau)
        check_positive("a0", self.a0)

    def neuronal_charge(self, x: Tensor) -> None:
        """Integrate; decay below the critical potential, grow above it."""
        self.v = self.v + quadratic(x, self.v, self.a0, self.v_rest, self.v_c) / self.tau


class EIFNode(BaseNode):
    r"""Exponential integrate-and-fire neuron.

    .. math::
        H[t] &= V[t-1] + \tfrac{1}{\tau} \left(X[t] + V_{rest} - V[t-1]
            + \Delta_T \exp\left(\tfrac{V[t-1] - \theta_{rh}}{\Delta_T}\right)\right) \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    The exponent is cut at 80, where the neuron has long fired: float32 holds it, so a sharp
    upstroke (a small :math:`\Delta_T`) ends in a spike and a reset, not in nan as SpikingJelly's.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        delta_T: Sharpness :math:`\Delta_T > 0`, in units of the membrane potential: towards 0 it
            is a :class:`LIFNode` that fires at theta_rh.
        theta_rh: Rheobase threshold :math:`\theta_{rh}`, around which the upstroke begins.
        v_rest: Resting potential :math:`V_{rest}`.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, or delta_T not than 0.
    References:
        | How Spike Generation Mechanisms Determine the Neuronal Response to Fluctuating Inputs
          (Fourcaud-Trocmé et al., 2003)
        | https://doi.org/10.1523/JNEUROSCI.23-37-11628.2003

    Example:
        >>> import torch
        >>> node = EIFNode(step_mode="m")
        >>> node(torch.full((6, 1), 0.5)).flatten()
        tensor([0., 0., 1., 0., 0., 1.])
    """

    tau: Scalar
    delta_T: Scalar
    theta_rh: Scalar
    v_rest: Scalar

    def __init__(
        self,
        tau: Scalar = 2.0,
        delta_T: Scalar = 1.0,
        theta_rh: Scalar = 0.8,
        v_threshold: Scalar = 1.0,
        v_rest: Scalar = 0.0,
        v_reset: Scalar | None = -0.1,
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
        self.set_parameters(tau=tau, delta_T=delta_T, theta_rh=theta_rh, v_rest=v_rest)
        check_tau("tau", self.tau)
        check_positive("delta_T", self.delta_T)

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak and integrate; take off above the rheobase threshold."""
        upstroke = exponential(self.v, self.delta_T, self.theta_rh)
        self.v = self.v + (x + self.v_rest - self.v + upstroke) / self.tau


def quadratic(x: Tensor, v: Tensor, a0: Scalar, v_rest: Scalar, v_c: Scalar) -> Tensor:
    """The current into a quadratic membrane."""
    return x + a0 * (v - v_rest) * (v - v_c)


def exponential(v: Tensor, delta_T: Scalar, theta_rh: Scalar) -> Tensor:
    """The current of an exponential upstroke."""
    return delta_T * torch.exp(torch.clamp((v - theta_rh) / delta_T, max=80.0))
