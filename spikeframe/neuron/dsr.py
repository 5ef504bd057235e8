r"""Neurons trained by differentiation on spike representation (DSR).

Forward they spike; backward they are a clamped function of the mean input, the value that the
mean output approaches with the number of steps.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..base import MultiStepModule
from ..base.location import Location
from .base_node import BaseNode
from .decay import learnable
from .parameter import (
    Scalar,
    check_count,
    check_flag,
    check_number,
    check_positive,
    precise,
    show,
)

__all__ = ["DSRIFNode", "DSRLIFNode"]


class Representation(NamedTuple):
    """Which neurons pass a gradient to the inputs, and which to the height instead.

    Arguments:
        within: Whether the mean input is within the bounds, [N, \\*].
        above: Whether it is above them, likewise.
        weights: Of the gradients of the steps' outputs, [T].
        input_gain: The gradient that each step's input takes of their weighted sum.
        height_gain: That of the height.
    """

    within: Tensor
    above: Tensor
    weights: Tensor
    input_gain: float
    height_gain: float


class _DSRNode(MultiStepModule, BaseNode):
    """Spikes of a learned height, whose gradient is that of a representation of the sequence."""

    def __init__(
        self,
        T: int,
        v_threshold: Scalar,
        alpha: Scalar,
        v_threshold_training: bool,
        v_threshold_grad_scaling: float,
        v_threshold_lower_bound: float,
        step_mode: str,
        backend: str,
        store_v_seq: bool,
    ) -> None:
        height = v_threshold
        if not isinstance(height, Tensor):
            height = torch.tensor(check_number("v_threshold", height))
        learned = check_flag("v_threshold_training", v_threshold_training)
        super().__init__(
            learnable(height) if learned else height.detach(),
            None,
            step_mode=step_mode,
            backend=backend,
            store_v_seq=store_v_seq,
        )
        self.T = check_count("T", T)
        self.set_parameter("alpha", alpha)
        part = torch.as_tensor(self.alpha).detach()
        if not bool(((part > 0) & (part <= 1)).all()):
            raise ValueError(f"alpha must be greater than 0 and at most 1, got {show(self.alpha)}")
        self.v_threshold_lower_bound = check_number(
            "v_threshold_lower_bound", v_threshold_lower_bound
        )
        check_positive("v_threshold_lower_bound", self.v_threshold_lower_bound)
        if not bool((height.detach() >= self.v_threshold_lower_bound).all()):
            raise ValueError(
                "v_threshold must be at least v_threshold_lower_bound, got "
                f"{show(height.detach())} and {v_threshold_lower_bound}"
            )
        self.v_threshold_grad_scaling = check_number(
            "v_threshold_grad_scaling", v_threshold_grad_scaling
        )

    @property
    def height(self) -> Tensor:
        """What a spike counts: the threshold, at least its lower bound."""
        return torch.as_tensor(self.v_threshold).clamp(min=self.v_threshold_lower_bound)

    def neuronal_fire(self) -> Tensor:
        """A spike of the height, where the membrane reaches alpha of it."""
        fired = self.v >= self.alpha * self.height
        return fired.to(self.v.dtype) * self.height

    def neuronal_reset(self, spike: Tensor) -> None:
        """Subtract what was fired."""
        self.v = self.v - spike

    def multi_step_forward(self, x_seq: Tensor, *input_seqs: Any) -> Tensor:
        """Spikes forward, the representation backward."""
        if x_seq.dim() and x_seq.shape[0] != self.T:
            raise ValueError(
                f"{Location(self)} takes sequences of T={self.T} steps, got {x_seq.shape[0]}"
            )
        with torch.no_grad():
            spikes = super().multi_step_forward(x_seq, *input_seqs)
        if not torch.is_grad_enabled():
            return spikes
        with torch.no_grad():
            representation = self.representation(x_seq)
        return _Represented.apply(spikes, x_seq, self.height, representation)

    def representation(self, x_seq: Tensor) -> Representation:
        """What the backward takes the output for."""
        raise NotImplementedError(f"{type(self).__name__} must define representation(x_seq)")

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return (
            f"T={self.T}, v_threshold={show(self.v_threshold)}, "
            f"alpha={show(self.alpha)}, backend={self.backend}"
        )


class DSRIFNode(_DSRNode):
    r"""Integrate-and-fire neuron trained by differentiation on spike representation.

    .. math::
        H[t] &= V[t-1] + X[t] \\
        S[t] &= V_{th} \Theta(H[t] - \alpha V_{th}) \\
        V[t] &= H[t] - S[t] \\
        \frac{\partial}{\partial \bar X} \frac{1}{T} \sum_t S[t] &:=
            1 \text{ if } 0 \le \bar X \le V_{th} \text{ else } 0, \qquad
        \bar X = \frac{1}{T} \sum_t X[t]

    Where the mean input exceeds the threshold, the gradient goes to the threshold instead. The
    membrane is kept until the next reset, as that of every node (SpikingJelly's starts anew at
    every call).

    Arguments:
        T: Number of steps of a sequence.
        v_threshold: Height of a spike :math:`V_{th}`; a number, or a tensor that broadcasts to
            [N, \*].
        alpha: Threshold, as a part of the height, 0 to 1; likewise.
        v_threshold_training: Learn the height.
        v_threshold_grad_scaling: Factor of its gradient.
        v_threshold_lower_bound: The height is at least this.
        step_mode: 'm', as the gradient is that of a sequence.
        backend, store_v_seq: As of :class:`BaseNode`.
    Shape:
        input, output: [T, N, \*].
    State:
        v: membrane potential after the reset, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed, or a sequence has another number of
            steps.
    References:
        | Training High-Performance Low-Latency Spiking Neural Networks by Differentiation on
          Spike Representation (Meng et al., 2022)
        | https://arxiv.org/abs/2205.00459

    Example:
        >>> node = DSRIFNode(T=4, v_threshold=1.0)
        >>> x_seq = torch.full((4, 1), 0.4, requires_grad=True)
        >>> spikes = node(x_seq)
        >>> spikes.mean(0).sum().backward()
        >>> spikes.detach().flatten(), x_seq.grad.sum()
        (tensor([0., 1., 0., 1.]), tensor(1.))
    """

    def __init__(
        self,
        T: int = 20,
        v_threshold: Scalar = 6.0,
        alpha: Scalar = 0.5,
        v_threshold_training: bool = True,
        v_threshold_grad_scaling: float = 1.0,
        v_threshold_lower_bound: float = 0.01,
        step_mode: str = "m",
        backend: str = "auto",
        store_v_seq: bool = False,
    ) -> None:
        super().__init__(
            T,
            v_threshold,
            alpha,
            v_threshold_training,
            v_threshold_grad_scaling,
            v_threshold_lower_bound,
            step_mode,
            backend,
            store_v_seq,
        )

    def neuronal_charge(self, x: Tensor) -> None:
        """Integrate."""
        self.v = self.v + x

    def representation(self, x_seq: Tensor) -> Representation:
        """The mean input, clamped to 0 and the height."""
        rate = x_seq.sum(0, dtype=_precision(x_seq)) / self.T
        above = rate > self.height
        return Representation(
            within=(rate >= 0) & ~above,
            above=above,
            weights=torch.ones(self.T, dtype=rate.dtype, device=rate.device),
            input_gain=1 / self.T,
            height_gain=self.v_threshold_grad_scaling,
        )


class DSRLIFNode(_DSRNode):
    r"""Leaky integrate-and-fire neuron trained by differentiation on spike representation.

    .. math::
        H[t] &= \beta V[t-1] + (1 - \beta) X[t], \qquad \beta = e^{-dt / \tau} \\
        S[t] &= V_{th} \Theta(H[t] - \alpha V_{th}), \qquad Y[t] = S[t] / dt \\
        V[t] &= H[t] - S[t]

    Backward, the output's mean with weights :math:`w_t \propto e^{-(T - t) dt / \tau}` is
    :math:`\bar X / \tau` where the input's mean with these weights is between 0 and
    :math:`\tau V_{th} / dt`, and the height's above.

    Arguments:
        T: Number of steps of a sequence.
        v_threshold: Height of a spike :math:`V_{th}`; a number, or a tensor that broadcasts to
            [N, \*].
        tau: Membrane time constant, in the unit of delta_t.
        delta_t: Length of a step :math:`dt`.
        alpha: Threshold, as a part of the height, 0 to 1; like v_threshold.
        v_threshold_training: Learn the height.
        v_threshold_grad_scaling: Factor of its gradient.
        v_threshold_lower_bound: The height is at least this.
        step_mode: 'm', as the gradient is that of a sequence.
        backend, store_v_seq: As of :class:`BaseNode`.
    Shape:
        input, output: [T, N, \*].
    State:
        v: membrane potential after the reset, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed, or a sequence has another number of
            steps.
    References:
        | Training High-Performance Low-Latency Spiking Neural Networks by Differentiation on
          Spike Representation (Meng et al., 2022)
        | https://arxiv.org/abs/2205.00459

    Example:
        >>> node = DSRLIFNode(T=20, v_threshold=0.1, tau=1.0)
        >>> node(torch.full((20, 1), 0.5)).mean().item()
        0.5
    """

    def __init__(
        self,
        T: int = 20,
        v_threshold: Scalar = 1.0,
        tau: float = 2.0,
        delta_t: float = 0.05,
        alpha: Scalar = 0.3,
        v_threshold_training: bool = True,
        v_threshold_grad_scaling: float = 1.0,
        v_threshold_lower_bound: float = 0.1,
        step_mode: str = "m",
        backend: str = "auto",
        store_v_seq: bool = False,
    ) -> None:
        super().__init__(
            T,
            v_threshold,
            alpha,
            v_threshold_training,
            v_threshold_grad_scaling,
            v_threshold_lower_bound,
            step_mode,
            backend,
            store_v_seq,
        )
        self.tau, self.delta_t = check_number("tau", tau), check_number("delta_t", delta_t)
        check_positive("tau", self.tau)
        check_positive("delta_t", self.delta_t)

    def neuronal_charge(self, x: Tensor) -> None:
        """Decay and integrate."""
        beta = precise(-self.delta_t / self.tau).exp()
        self.v = beta * self.v + (1.0 - beta) * x

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """The spikes of a step, per unit of time."""
        return super().single_step_forward(x, *inputs) / self.delta_t

    def representation(self, x_seq: Tensor) -> Representation:
        """The mean input over tau within the bounds, the height above them."""
        ages = torch.arange(self.T - 1, -1, -1, dtype=torch.float64)
        weights = (-self.delta_t / self.tau * ages).exp()
        weights = (weights / weights.sum()).to(x_seq.device, _precision(x_seq))
        rate = torch.tensordot(weights, x_seq.to(weights.dtype), 1)
        most = self.height / self.delta_t * self.tau
        return Representation(
            within=(rate > 0) & (rate < most),
            above=rate > most,
            weights=weights * self.T,
            input_gain=1 / (self.T * self.tau),
            height_gain=self.delta_t * self.v_threshold_grad_scaling,
        )

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"{super().extra_repr()}, tau={self.tau}, delta_t={self.delta_t}"


class _Represented(torch.autograd.Function):
    """The spikes, with the gradient of what they stand for."""

    @staticmethod
    def forward(
        ctx: Any, spikes: Tensor, x_seq: Tensor, height: Tensor, representation: Representation
    ) -> Tensor:
        ctx.save_for_backward(*representation[:3])
        ctx.gains = representation[3:]
        ctx.dtypes = x_seq.dtype, height.dtype
        ctx.height_shape = height.shape
        return spikes.view_as(spikes)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, Tensor | None, None]:
        within, above, weights = ctx.saved_tensors
        input_gain, height_gain = ctx.gains
        x_dtype, height_dtype = ctx.dtypes
        total = torch.tensordot(weights, grads[0].to(weights.dtype), 1)
        # By products: torch's choice by a mask without order is several times slower.
        x_grad = (within * total * input_gain).to(x_dtype).expand_as(grads[0])
        if not ctx.needs_input_grad[2]:
            return None, x_grad, None, None
        height_grad = (above * total).sum_to_size(ctx.height_shape) * height_gain
        return None, x_grad, height_grad.to(height_dtype), None


def _precision(x_seq: Tensor) -> torch.dtype:
    return torch.float64 if x_seq.dtype == torch.float64 else torch.float32
