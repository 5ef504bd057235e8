"""Surrogate gradients with a peak at the threshold and tails that fall as a power of u."""

__all__ = [
    "FakeNumericalGradient",
    "FastSigmoid",
    "NonzeroSignLogAbs",
    "QPseudoSpike",
    "SoftSign",
    "SuperSpike",
]

import torch
from torch import Tensor

from .base import Surrogate
from .parameter import positive


class SoftSign(Surrogate):
    r"""Derivative of the soft sign.

    .. math::
        \sigma'(u) = \frac{1}{2 \alpha (\frac{1}{\alpha} + |u|)^2}

    Arguments:
        alpha: Twice the peak; greater than 0.
        spiking: True gives spikes, False the primitive
            :math:`\frac{1}{2} (\frac{\alpha u}{1 + \alpha |u|} + 1)`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    Example:
        >>> SoftSign().derivative(torch.tensor([0.0, 0.5]))
        tensor([1.0000, 0.2500])
    """

    alpha: float

    def __init__(self, alpha: float = 2.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        z = 1 / self.alpha + u.abs()
        return 1 / (2 * self.alpha * (z * z))

    def primitive(self, u: Tensor) -> Tensor:
        return (_soft_sign(u * self.alpha) + 1.0) / 2.0


class SuperSpike(Surrogate):
    r"""Fast sigmoid of the SuperSpike rule.

    .. math::
        \sigma'(u) = \frac{1}{(1 + \alpha |u|)^2}

    This is the paper's formula, the same as :class:`FastSigmoid`'s. SpikingJelly 2.0.0 computes
    :math:`\alpha / (1 + |u|)^2`, which equals it for alpha = 1 (the default) only.

    Arguments:
        alpha: Steepness; greater than 0.
        spiking: True gives spikes, False the primitive :math:`u / (1 + \alpha |u|)`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    References:
        | SuperSpike: Supervised Learning in Multilayer Spiking Neural Networks
          (Zenke and Ganguli, 2018)
        | https://arxiv.org/abs/1705.11146

    Example:
        >>> SuperSpike(alpha=2.0).derivative(torch.tensor([0.0, 0.5]))
        tensor([1.0000, 0.2500])
    """

    alpha: float

    def __init__(self, alpha: float = 1.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        z = self.alpha * u.abs() + 1.0
        return 1 / (z * z)

    def primitive(self, u: Tensor) -> Tensor:
        return _soft_sign(u * self.alpha) / self.alpha


class FastSigmoid(Surrogate):
    r"""Derivative of the fast sigmoid.

    .. math::
        \sigma'(u) = \frac{1}{(1 + k |u|)^2}

    Arguments:
        slope: Steepness :math:`k`; greater than 0.
        spiking: True gives spikes, False the primitive :math:`u / (1 + k |u|)`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: slope is not positive.

    References:
        | SuperSpike: Supervised Learning in Multilayer Spiking Neural Networks
          (Zenke and Ganguli, 2018)
        | https://arxiv.org/abs/1705.11146

    Example:
        >>> FastSigmoid().derivative(torch.tensor([0.0, 0.04]))
        tensor([1.0000, 0.2500])
    """

    slope: float

    def __init__(self, slope: float = 25.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, slope=positive("slope", slope))

    def derivative(self, u: Tensor) -> Tensor:
        z = self.slope * u.abs() + 1.0
        return 1 / (z * z)

    def primitive(self, u: Tensor) -> Tensor:
        return _soft_sign(u * self.slope) / self.slope


class QPseudoSpike(Surrogate):
    r"""Power law whose tail weight is a parameter.

    .. math::
        \sigma'(u) = \Bigl(1 + \frac{2}{\alpha - 1} |u|\Bigr)^{-\alpha}

    Arguments:
        alpha: Exponent of the tail; greater than 1.
        spiking: True gives spikes, False the primitive: with
            :math:`r = \frac{1}{2} (1 + \frac{2}{\alpha - 1} |u|)^{1 - \alpha}`, r for negative
            u and 1 - r otherwise.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not greater than 1.

    References:
        | Stabilizing Spiking Neuron Training (Herranz-Celotti and Rouat, 2022)
        | https://arxiv.org/abs/2202.00282

    Example:
        >>> QPseudoSpike().derivative(torch.tensor([0.0, 0.5]))
        tensor([1.0000, 0.2500])
    """

    alpha: float

    def __init__(self, alpha: float = 2.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha, above=1.0))

    def derivative(self, u: Tensor) -> Tensor:
        return torch.exp(-self.alpha * torch.log(1 + 2 / (self.alpha - 1) * u.abs()))

    def primitive(self, u: Tensor) -> Tensor:
        base = 1 + 2 / (self.alpha - 1) * _magnitude(u)
        tail = torch.exp((1 - self.alpha) * torch.log(base)) / 2.0
        return torch.where(u < 0, tail, 1.0 - tail)


class NonzeroSignLogAbs(Surrogate):
    r"""Hyperbola: the heaviest tail, whose primitive grows without bound.

    .. math::
        \sigma'(u) = \frac{1}{\frac{1}{\alpha} + |u|}

    Arguments:
        alpha: The peak; greater than 0.
        spiking: True gives spikes, False the primitive
            :math:`\operatorname{sign}(u) \log(1 + \alpha |u|)`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    Example:
        >>> NonzeroSignLogAbs().derivative(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.5000])
    """

    alpha: float

    def __init__(self, alpha: float = 1.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        return 1 / (1 / self.alpha + u.abs())

    def primitive(self, u: Tensor) -> Tensor:
        grown = torch.log(self.alpha * _magnitude(u) + 1)
        return torch.where(u < 0, -grown, grown)


class FakeNumericalGradient(Surrogate):
    r"""Slope of the secant from the threshold, bounded.

    .. math::
        \sigma'(u) = \min\Bigl(\frac{1}{|u|}, \alpha\Bigr)

    At the threshold it is alpha; SpikingJelly 2.0.0 gives minus infinity at u = -0.0.

    Arguments:
        alpha: The bound; greater than 0.
        spiking: Only True: there is no primitive.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    Example:
        >>> FakeNumericalGradient().derivative(torch.tensor([0.0, -10.0]))
        tensor([0.3000, 0.1000])
    """

    alpha: float

    def __init__(self, alpha: float = 0.3, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        # The inner clamp, well inside the bound, keeps second derivatives finite at 0.
        return torch.clamp(1 / torch.clamp(u.abs(), min=0.5 / self.alpha), max=self.alpha)


def _magnitude(u: Tensor) -> Tensor:
    """|u| whose derivative at 0 is 1, not 0: a primitive's slope at the peak must be the peak."""
    return torch.where(u < 0, -u, u)


def _soft_sign(z: Tensor) -> Tensor:
    """Soft sign z / (1 + |z|), also where z is infinite."""
    inner = torch.clamp(z, -1.0, 1.0)
    outer = torch.sign(z) * (1.0 - 1.0 / (1.0 + z.abs()))
    return torch.where(z.abs() < 1.0, inner / (1.0 + inner.abs()), outer)
