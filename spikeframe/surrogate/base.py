r"""The spike and its surrogate gradient.

A neuron fires where the distance of its membrane from the threshold, :math:`u = h - v_{th}`, is
not negative. The step has no useful derivative, so the backward pass puts another one in its
place (`Surrogate Gradient Learning in Spiking Neural Networks
<https://arxiv.org/abs/1901.09948>`_, Neftci et al., 2019):

.. math::
    S = \Theta(u), \qquad \frac{\partial S}{\partial u} := \sigma'(u)
"""

__all__ = ["Surrogate", "heaviside"]

import inspect
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from .parameter import flag, number


def heaviside(u: Tensor, strict: bool = False) -> Tensor:
    r"""Step function: 1 from the threshold on, 0 below; nan gives 0.

    .. math::
        \Theta(u) = 1 \text{ if } u \ge 0 \text{ (strict: } u > 0 \text{) else } 0

    Arguments:
        u: Distance from the threshold.
        strict: Fire only above the threshold (snnTorch), not at it (SpikingJelly).

    Shape:
        u, output: any shape; the output has u's dtype.

    Example:
        >>> heaviside(torch.tensor([-1.0, 0.0, 2.0]))
        tensor([0., 1., 1.])
        >>> heaviside(torch.tensor([-1.0, 0.0, 2.0]), strict=True)
        tensor([0., 0., 1.])
    """
    return (u > 0 if strict else u >= 0).to(u.dtype)


class Surrogate(nn.Module):
    r"""Base of the surrogate gradients: a spike forward, :meth:`derivative` backward.

    A subclass writes :meth:`derivative` in elementwise torch functions and, where one is known,
    its antiderivative :meth:`primitive`. Keyword arguments are the numbers that they read from
    self. A spike's gradient uses the numbers of the moment of its forward pass, so assigning
    them later (annealing) changes later spikes only. Forward mode may be nested once: reverse
    over forward and forward over reverse differentiate the derivative, forward over forward
    does not (a limit of ``torch.autograd.Function``).

    Arguments:
        spiking: True gives spikes; False gives the primitive, which autograd differentiates.
        strict: Fire only above the threshold (snnTorch), not at it (SpikingJelly).
        parameters: Numbers that become attributes, are printed, and may be assigned at any time. A
            tensor or nn.Parameter may be assigned as well (per channel); as the spike does not
            depend on it, it learns through the primitive only, not while spiking.

    Shape:
        u, output: any shape; the output has u's dtype.

    Raises:
        TypeError: A parameter is not a number, or spiking or strict is not a bool.
        ValueError: A parameter is nan.

    Example:
        >>> class Mine(Surrogate):
        ...     def derivative(self, u):
        ...         return 1 / (1 + self.alpha * u.abs()) ** 2
        >>> mine = Mine(alpha=2.0)
        >>> mine
        Mine(alpha=2.0, spiking=True)
        >>> u = torch.tensor([-0.5, 0.5], requires_grad=True)
        >>> spikes = mine(u)
        >>> spikes.sum().backward()
        >>> spikes.detach(), u.grad
        (tensor([0., 1.]), tensor([0.2500, 0.2500]))
    """

    spiking: bool
    strict: bool
    parameter_names: tuple[str, ...]

    def __init__(self, spiking: bool = True, *, strict: bool = False, **parameters: float) -> None:
        super().__init__()
        self.spiking = flag("spiking", spiking)
        self.strict = flag("strict", strict)
        self.parameter_names = tuple(parameters)
        for name, value in parameters.items():
            # A count stays an int (range needs one), all else becomes a float; bounds may be inf.
            setattr(self, name, value if type(value) is int else number(name, value, True))

    @property
    def binary(self) -> bool:
        """Whether the output is 0 or 1: it spikes, and in the way that is written here."""
        kind = type(self)
        plain = kind.forward is Surrogate.forward and kind.fire is Surrogate.fire
        return self.spiking and plain

    def derivative(self, u: Tensor) -> Tensor:
        """What stands for the derivative of the spike, elementwise."""
        raise NotImplementedError(
            f"{type(self).__name__} has no derivative: define derivative(self, u)"
        )

    def primitive(self, u: Tensor) -> Tensor:
        """The function whose derivative is :meth:`derivative`; output when spiking is False."""
        raise NotImplementedError(
            f"{type(self).__name__} has no primitive: use it with spiking=True, "
            "or define primitive(self, u)"
        )

    def fired(self, u: Tensor) -> Tensor:
        """Where u fires, as booleans."""
        return u > 0 if self.strict else u >= 0

    def fire(self, u: Tensor) -> Tensor:
        """The forward pass when spiking, in u's dtype."""
        return heaviside(u, self.strict)

    def gradient(self, u: Tensor, grad: Tensor) -> Tensor:
        """The backward pass when spiking, linear in the incoming grad."""
        return grad * self.derivative(u)

    def set_spiking_mode(self, spiking: bool) -> None:
        """Chooses between spikes (True) and the primitive (False)."""
        self.spiking = flag("spiking", spiking)

    def extra_repr(self) -> str:
        shown = [*self.parameter_names, "spiking", *(["strict"] if self.strict else [])]
        return ", ".join(f"{name}={getattr(self, name)}" for name in shown)

    def forward(self, u: Tensor) -> Tensor:
        if not self.spiking:
            return self.primitive(u)
        if torch.compiler.is_compiling():
            return _Spike.apply(u, self)
        if not torch.is_grad_enabled() and forward_ad._current_level < 0:
            return self.fire(u)  # neither mode will differentiate: 11 us a call instead of 32
        return _DualSpike.apply(u, self._snapshot())

    def _snapshot(self) -> Self:
        """A shallow copy, which keeps this moment's parameters until the backward pass."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy


class _Spike(torch.autograd.Function):
    """The one autograd function of all surrogates; it saves u alone."""

    generate_vmap_rule = True

    @staticmethod
    def forward(u: Tensor, surrogate: Surrogate) -> Tensor:
        return surrogate.fire(u)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Surrogate], output: Tensor) -> None:
        u, ctx.surrogate = inputs
        ctx.save_for_backward(u)
        ctx.save_for_forward(u)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return ctx.surrogate.gradient(u, grad).to(grad.dtype), None


# torch asks for it at every call, and finding it takes longer than the spike.
_Spike.forward.__signature__ = inspect.signature(_Spike.forward)  # type: ignore[attr-defined]


class _DualSpike(_Spike):
    """Adds forward mode, which torch.compile does not trace."""

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        (u,) = ctx.saved_tensors
        return ctx.surrogate.gradient(u, tangent).to(tangent.dtype)
