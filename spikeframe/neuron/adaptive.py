"""Neurons with an adaptation current, which every spike and the membrane itself feed."""

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from .base_node import BaseNode
from .lif import check_tau
from .nonlinear import exponential, quadratic
from .parameter import Scalar, check_positive

__all__ = ["AdExNode", "AdaptBaseNode", "IzhikevichNode"]


class AdaptBaseNode(BaseNode):
    r"""Base class of neurons with an adaptation current: subclass it, write ``neuronal_charge``.

    .. math::
        W[t] = W[t-1] + \tfrac{1}{\tau_w} (a (H[t] - V_{rest}) - W[t-1]) + b S[t]

    Arguments:
        v_rest: Resting potential :math:`V_{rest}`.
        w_rest: Adaptation current :math:`W` after a reset of the state.
        tau_w: Time constant of the adaptation :math:`\tau_w > 0`, in time steps.
        a: Adaptation by the membrane potential :math:`a`, per unit of it.
        b: Adaptation by a spike :math:`b`.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
        w: adaptation current, [N, \*]; starts at w_rest.
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau_w is not greater than 0.

    Example:
        >>> import torch
        >>> class AdaptiveIF(AdaptBaseNode):
        ...     def neuronal_charge(self, x):
        ...         self.v = self.v + x - self.w
        >>> node = AdaptiveIF(b=0.4, tau_w=20.0, step_mode="m")
        >>> node(torch.full((12, 1), 0.5)).flatten()
        tensor([0., 1., 0., 0., 0., 0., 0., 0., 1., 0., 0., 0.])
    """

    reset_parameters: ClassVar = BaseNode.reset_parameters | {"w": "w_rest"}
    w: Any
    v_rest: Scalar
    w_rest: Scalar
    tau_w: Scalar
    a: Scalar
    b: Scalar

    def __init__(
        self,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = 0.0,
        v_rest: Scalar = 0.0,
        w_rest: Scalar = 0.0,
        tau_w: Scalar = 2.0,
        a: Scalar = 0.0,
        b: Scalar = 0.0,
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
        self.set_parameters(v_rest=v_rest, w_rest=w_rest, tau_w=tau_w, a=a, b=b)
        check_positive("tau_w", self.tau_w, "in time steps")
        self.register_memory("w", None)

    def neuronal_adaptation(self, spike: Tensor) -> None:
        """Set ``self.w`` to W[t] from W[t-1], the potential before the reset and the spike."""
        pull = self.a * (self.v - self.v_rest)
        self.w = self.w + (pull - self.w) / self.tau_w + self.b * spike

    def neuronal_reset(self, spike: Tensor) -> None:
        """Adapt, then reset the membrane."""
        self.neuronal_adaptation(spike)
        super().neuronal_reset(spike)


class IzhikevichNode(AdaptBaseNode):
    r"""Quadratic integrate-and-fire neuron with adaptation, after Izhikevich.

    .. math::
        H[t] &= V[t-1] + \tfrac{1}{\tau}
            (X[t] + a_0 (V[t-1] - V_{rest})(V[t-1] - V_c) - W[t-1]) \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        W[t] &= W[t-1] + \tfrac{1}{\tau_w} (a (H[t] - V_{rest}) - W[t-1]) + b S[t] \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        v_c: Critical potential :math:`V_c`, above which the membrane grows by itself.
        a0: Strength of the quadratic term :math:`a_0 > 0`.
        v_rest, w_rest, tau_w, a, b: As of :class:`AdaptBaseNode`.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
        w: adaptation current, [N, \*]; starts at w_rest.
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, or a0 or tau_w not than 0.
    References:
        | Simple Model of Spiking Neurons (Izhikevich, 2003)
        | https://doi.org/10.1109/TNN.2003.820440

    Example:
        >>> import torch
        >>> node = IzhikevichNode(tau_w=20.0, b=0.3, step_mode="m")
        >>> node(torch.full((12, 1), 1.0)).flatten()
        tensor([0., 0., 1., 0., 0., 0., 1., 0., 0., 0., 0., 0.])
    """

    tau: Scalar
    v_c: Scalar
    a0: Scalar

    def __init__(
        self,
        tau: Scalar = 2.0,
        v_c: Scalar = 0.8,
        a0: Scalar = 1.0,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = 0.0,
        v_rest: Scalar = -0.1,
        w_rest: Scalar = 0.0,
        tau_w: Scalar = 2.0,
        a: Scalar = 0.0,
        b: Scalar = 0.0,
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
            v_rest,
            w_rest,
            tau_w,
            a,
            b,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        self.set_parameters(tau=tau, v_c=v_c, a0=a0)
        check_tau("tau", self.tau)
        check_positive("a0", self.a0)

    def neuronal_charge(self, x: Tensor) -> None:
        """Integrate; decay below the critical potential, grow above it; less the adaptation."""
        current = quadratic(x, self.v, self.a0, self.v_rest, self.v_c)
        self.v = self.v + (current - self.w) / self.tau


class AdExNode(AdaptBaseNode):
    r"""Adaptive exponential integrate-and-fire neuron (AdEx).

    .. math::
        H[t] &= V[t-1] + \tfrac{1}{\tau} \left(X[t] + V_{rest} - V[t-1]
            + \Delta_T \exp\left(\tfrac{V[t-1] - \theta_{rh}}{\Delta_T}\right) - W[t-1]\right) \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        W[t] &= W[t-1] + \tfrac{1}{\tau_w} (a (H[t] - V_{rest}) - W[t-1]) + b S[t] \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    The exponent is cut at 80, as :class:`EIFNode` says.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        delta_T: Sharpness :math:`\Delta_T > 0` of the upstroke, in units of the potential.
        theta_rh: Rheobase threshold :math:`\theta_{rh}`, around which the upstroke begins.
        v_rest, w_rest, tau_w, a, b: As of :class:`AdaptBaseNode`.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
        w: adaptation current, [N, \*]; starts at w_rest.
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, or delta_T or tau_w not than 0.
    References:
        | Adaptive Exponential Integrate-and-Fire Model as an Effective Description of Neuronal
          Activity (Brette, Gerstner, 2005)
        | https://doi.org/10.1152/jn.00686.2005

    Example:
        >>> import torch
        >>> node = AdExNode(step_mode="m")
        >>> node(torch.full((12, 1), 0.8)).flatten()
        tensor([0., 1., 0., 0., 1., 0., 0., 1., 0., 0., 0., 1.])
    """

    tau: Scalar
    delta_T: Scalar
    theta_rh: Scalar

    def __init__(
        self,
        tau: Scalar = 2.0,
        delta_T: Scalar = 1.0,
        theta_rh: Scalar = 0.8,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = -0.1,
        v_rest: Scalar = 0.0,
        w_rest: Scalar = 0.0,
        tau_w: Scalar = 20.0,
        a: Scalar = 0.0,
        b: Scalar = 0.2,
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
            v_rest,
            w_rest,
            tau_w,
            a,
            b,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        self.set_parameters(tau=tau, delta_T=delta_T, theta_rh=theta_rh)
        check_tau("tau", self.tau)
        check_positive("delta_T", self.delta_T)

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak and integrate; take off above the rheobase threshold; less the adaptation."""
        upstroke = exponential(self.v, self.delta_T, self.theta_rh)
        self.v = self.v + (x + self.v_rest - self.v + upstroke - self.w) / self.tau
