"""Surrogate gradients that are confined to a window around the threshold."""

__all__ = ["PiecewiseLeakyReLU", "PiecewiseQuadratic", "Rect", "SparseFastSigmoid", "Triangular"]

import torch
from torch import Tensor

from .base import Surrogate
from .parameter import nonnegative, positive


class PiecewiseQuadratic(Surrogate):
    r"""Triangle of unit area, the derivative of two parabolas.

    .. math::
        \sigma'(u) = \max(0, \alpha - \alpha^2 |u|)

    Arguments:
        alpha: The peak, and the inverse of the half width; greater than 0.
        spiking: True gives spikes, False the primitive
            :math:`\frac{1}{2} + \alpha c - \frac{1}{2} \alpha^2 c |c|` with c = u clamped to
            :math:`\pm 1 / \alpha`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    References:
        | Long short-term memory and learning-to-learn in networks of spiking neurons
          (Bellec et al., 2018)
        | https://arxiv.org/abs/1803.09574

    Example:
        >>> PiecewiseQuadratic().derivative(torch.tensor([0.0, 0.25, 2.0]))
        tensor([1.0000, 0.7500, 0.0000])
    """

    alpha: float

    def __init__(self, alpha: float = 1.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        return torch.relu(-(self.alpha**2) * u.abs() + self.alpha)

    def primitive(self, u: Tensor) -> Tensor:
        c = torch.clamp(u, -1 / self.alpha, 1 / self.alpha)
        return -(self.alpha**2) / 2 * c * c.abs() + self.alpha * c + 0.5


class Triangular(Surrogate):
    r"""Triangle of unit height, as wide as the threshold to each side.

    .. math::
        \sigma'(u) = \max\Bigl(0, 1 - \frac{|u|}{\theta}\Bigr)

    snnTorch 1.0.0 gives :math:`\pm \theta` for every u under this name, with the wrong sign
    above the threshold.

    Arguments:
        threshold: Half width :math:`\theta`, in units of u; greater than 0.
        spiking: True gives spikes, False the primitive
            :math:`\frac{\theta}{2} + c - \frac{c |c|}{2 \theta}` with c = u clamped to
            :math:`\pm \theta`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: threshold is not positive.

    References:
        | Convolutional Networks for Fast, Energy-Efficient Neuromorphic Computing
          (Esser et al., 2016)
        | https://arxiv.org/abs/1603.08270

    Example:
        >>> Triangular(threshold=2).derivative(torch.tensor([0.0, 1.0, -3.0]))
        tensor([1.0000, 0.5000, 0.0000])
    """

    threshold: float

    def __init__(
        self, threshold: float = 1.0, spiking: bool = True, *, strict: bool = False
    ) -> None:
        super().__init__(spiking, strict=strict, threshold=positive("threshold", threshold))

    def derivative(self, u: Tensor) -> Tensor:
        return torch.relu(1.0 - u.abs() / self.threshold)

    def primitive(self, u: Tensor) -> Tensor:
        c = torch.clamp(u, -self.threshold, self.threshold)
        return self.threshold / 2 + c - c * c.abs() / (2 * self.threshold)


class Rect(Surrogate):
    r"""Rectangle of unit area.

    .. math::
        \sigma'(u) = \alpha \text{ if } |u| < \frac{1}{2 \alpha} \text{ else } 0

    Arguments:
        alpha: The height, and the inverse of the width; greater than 0.
        spiking: True gives spikes, False the primitive, :math:`\alpha u + \frac{1}{2}` clamped to
            0..1.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    References:
        | Spatio-Temporal Backpropagation for Training High-Performance Spiking Neural Networks
          (Wu et al., 2018)
        | https://arxiv.org/abs/1706.02609

    Example:
        >>> Rect().derivative(torch.tensor([0.0, 0.4, 0.5]))
        tensor([1., 1., 0.])
    """

    alpha: float

    def __init__(self, alpha: float = 1.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        return torch.where(u.abs() < 0.5 / self.alpha, self.alpha * torch.ones_like(u), 0.0)

    def primitive(self, u: Tensor) -> Tensor:
        return torch.clamp(self.alpha * u + 0.5, 0.0, 1.0)


class PiecewiseLeakyReLU(Surrogate):
    r"""Rectangle of unit area that leaks outside.

    .. math::
        \sigma'(u) = \frac{1}{2 w} \text{ if } |u| < w \text{ else } c

    This is SpikingJelly 2.0.0's height; its release 0.0.0.0.14 used 1 / w, twice the slope of
    its own primitive.

    Arguments:
        w: Half width of the rectangle, in units of u; greater than 0.
        c: Derivative outside; at least 0.
        spiking: True gives spikes, False the primitive, a line of slope 1 / (2 w) through
            :math:`(0, \frac{1}{2})` that goes on with slope c outside.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: w is not positive or c is negative.

    Example:
        >>> PiecewiseLeakyReLU().derivative(torch.tensor([0.0, 2.0]))
        tensor([0.5000, 0.0100])
    """

    w: float
    c: float

    def __init__(
        self, w: float = 1.0, c: float = 0.01, spiking: bool = True, *, strict: bool = False
    ) -> None:
        super().__init__(spiking, strict=strict, w=positive("w", w), c=nonnegative("c", c))

    def derivative(self, u: Tensor) -> Tensor:
        return torch.where(u.abs() < self.w, 1 / (2 * self.w) * torch.ones_like(u), self.c)

    def primitive(self, u: Tensor) -> Tensor:
        inner = torch.clamp(u, -self.w, self.w)
        largest = torch.finfo(u.dtype).max
        outer = torch.clamp(u, -largest, largest) - inner  # 0 * inf would be nan
        return self.c * outer + inner / (2 * self.w) + 0.5


class SparseFastSigmoid(Surrogate):
    r"""Fast sigmoid for neurons close to the threshold, 0 for all others.

    .. math::
        \sigma'(u) = \frac{1}{(1 + k |u|)^2} \text{ if } |u| < B \text{ else } 0

    This is the paper's rule: a neuron passes a gradient while it is near its threshold. snnTorch
    1.0.0 tests u > B instead, which leaves gradients only to neurons at least B above it.

    Arguments:
        slope: Steepness :math:`k`; greater than 0.
        B: Half width of the window, in units of u; greater than 0.
        spiking: True gives spikes, False the primitive :math:`c / (1 + k |c|)` with c = u clamped
            to :math:`\pm B`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: slope or B is not positive.

    References:
        | Sparse Spiking Gradient Descent (Perez-Nieves and Goodman, 2021)
        | https://arxiv.org/abs/2105.08810

    Example:
        >>> SparseFastSigmoid(slope=1, B=2).derivative(torch.tensor([0.0, -1.0, 3.0]))
        tensor([1.0000, 0.2500, 0.0000])
    """

    slope: float
    B: float

    def __init__(
        self, slope: float = 25.0, B: float = 1.0, spiking: bool = True, *, strict: bool = False
    ) -> None:
        slope, B = positive("slope", slope), positive("B", B)
        super().__init__(spiking, strict=strict, slope=slope, B=B)

    def derivative(self, u: Tensor) -> Tensor:
        z = self.slope * u.abs() + 1.0
        return torch.where(u.abs() < self.B, 1 / (z * z), 0.0)

    def primitive(self, u: Tensor) -> Tensor:
        c = torch.clamp(u, -self.B, self.B)
        return c / (self.slope * c.abs() + 1.0)
