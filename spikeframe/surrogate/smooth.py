"""Surrogate gradients that are smooth everywhere."""

__all__ = ["ATan", "Erf", "Sigmoid", "SquarewaveFourierSeries"]

import math

import torch
from torch import Tensor

from .base import Surrogate
from .parameter import positive, whole


class Sigmoid(Surrogate):
    r"""Derivative of the logistic function.

    .. math::
        \sigma'(u) = \alpha s (1 - s), \qquad s = \frac{1}{1 + e^{-\alpha u}}

    The peak is :math:`\alpha / 4`. It is finite for every u and slope; snnTorch 1.0.0 writes the
    same derivative as a quotient of exponentials, nan below u = -3.42 at its default slope of 25.

    Arguments:
        alpha: Slope of the logistic function at the threshold, times 4; greater than 0.
        spiking: True gives spikes, False the primitive :math:`s`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    References:
        | Surrogate Gradient Learning in Spiking Neural Networks (Neftci et al., 2019)
        | https://arxiv.org/abs/1901.09948

    Example:
        >>> Sigmoid().derivative(torch.tensor([0.0, -1e9]))
        tensor([1., 0.])
    """

    alpha: float

    def __init__(self, alpha: float = 4.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        s = torch.sigmoid(u * self.alpha)
        return (1.0 - s) * s * self.alpha

    def primitive(self, u: Tensor) -> Tensor:
        return torch.sigmoid(u * self.alpha)


class ATan(Surrogate):
    r"""Derivative of the arc tangent.

    .. math::
        \sigma'(u) = \frac{\alpha / 2}{1 + (\frac{\pi}{2} \alpha u)^2}

    The peak is :math:`\alpha / 2`, 1 by default. Some texts write a further factor
    :math:`1 / \pi`; SpikingJelly and snnTorch do not compute it.

    Arguments:
        alpha: Twice the peak; greater than 0.
        spiking: True gives spikes, False the primitive
            :math:`\arctan(\frac{\pi}{2} \alpha u) / \pi + \frac{1}{2}`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    References:
        | Incorporating Learnable Membrane Time Constant to Enhance Learning of Spiking Neural
          Networks (Fang et al., 2021)
        | https://arxiv.org/abs/2007.05785

    Example:
        >>> ATan().derivative(torch.tensor([0.0, 1 / torch.pi]))
        tensor([1.0000, 0.5000])
    """

    alpha: float

    def __init__(self, alpha: float = 2.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        z = math.pi / 2 * self.alpha * u
        return self.alpha / 2 / (1 + z * z)

    def primitive(self, u: Tensor) -> Tensor:
        return torch.atan(math.pi / 2 * self.alpha * u) / math.pi + 0.5


class Erf(Surrogate):
    r"""Gaussian, the derivative of the error function.

    .. math::
        \sigma'(u) = \frac{\alpha}{\sqrt{\pi}} e^{-\alpha^2 u^2}

    Arguments:
        alpha: Inverse width, :math:`1 / (\sqrt{2}` standard deviations); greater than 0.
        spiking: True gives spikes, False the primitive
            :math:`\frac{1}{2} \operatorname{erfc}(-\alpha u)`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    References:
        | Accurate and Efficient Time-Domain Classification with Adaptive Spiking Recurrent Neural
          Networks (Yin et al., 2021)
        | https://arxiv.org/abs/2103.12593

    Example:
        >>> Erf(alpha=2.0).derivative(torch.tensor([0.0, 0.5]))
        tensor([1.1284, 0.4151])
    """

    alpha: float

    def __init__(self, alpha: float = 2.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        z = u * self.alpha
        return torch.exp(-(z * z)) * (self.alpha / math.sqrt(math.pi))

    def primitive(self, u: Tensor) -> Tensor:
        return torch.erfc(-self.alpha * u) / 2.0


class SquarewaveFourierSeries(Surrogate):
    r"""Partial Fourier series of a square wave, differentiated.

    .. math::
        \sigma'(u) = \frac{4}{T} \sum_{i=1}^{n-1} \cos\frac{2 \pi (2i - 1) u}{T}

    It is periodic: gradients do not vanish far from the threshold, and change sign. Where the
    phase is not a finite number, at infinite u for one, it is 0.

    Arguments:
        n: Number of terms plus one; an int of at least 2.
        T_period: Period of the square wave, in units of u; greater than 0.
        spiking: True gives spikes, False the primitive
            :math:`\frac{1}{2} + \frac{2}{\pi} \sum_i \frac{1}{2i-1} \sin\frac{2\pi(2i-1)u}{T}`.
        strict: Fire only above the threshold, not at it.

    Raises:
        TypeError: n is not an int.
        ValueError: n is less than 2 or T_period is not positive.

    Example:
        >>> SquarewaveFourierSeries().derivative(torch.tensor([0.0, 4.0, torch.inf]))
        tensor([ 0.5000, -0.5000,  0.0000])
    """

    n: int
    T_period: float

    def __init__(
        self,
        n: int = 2,
        T_period: float = 8.0,
        spiking: bool = True,
        *,
        strict: bool = False,
    ) -> None:
        super().__init__(
            spiking,
            strict=strict,
            n=whole("n", n, at_least=2),
            T_period=positive("T_period", T_period),
        )

    def derivative(self, u: Tensor) -> Tensor:
        w = math.pi * 2.0 / self.T_period
        u, lost = self._in_range(u)
        waves = torch.cos(w * u)
        for i in range(2, self.n):
            waves = waves + torch.cos((2 * i - 1.0) * w * u)
        return torch.where(lost, 0.0, waves * (4.0 / self.T_period))

    def primitive(self, u: Tensor) -> Tensor:
        w = math.pi * 2.0 / self.T_period
        u, lost = self._in_range(u)
        waves = torch.sin(w * u)
        for i in range(2, self.n):
            waves = waves + torch.sin((2 * i - 1.0) * w * u) / (2 * i - 1.0)
        return torch.where(lost, 0.5, 0.5 + 2.0 / math.pi * waves)

    def _in_range(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """U with 0 where the phase of the highest harmonic overflows, and where that is."""
        highest = (2 * self.n - 3.0) * math.pi * 2.0 / self.T_period
        lost = torch.maximum(u.abs(), (highest * u).abs()) == math.inf
        return torch.where(lost, 0.0, u), lost
