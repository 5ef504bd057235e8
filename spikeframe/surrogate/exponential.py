"""Surrogate gradients with a peak at the threshold and exponential tails."""

__all__ = ["PiecewiseExp", "SpikeRateEscape"]

import torch
from torch import Tensor

from .base import Surrogate
from .parameter import positive


class PiecewiseExp(Surrogate):
    r"""Exponential decay to both sides.

    .. math::
        \sigma'(u) = \frac{\alpha}{2} e^{-\alpha |u|}

    Arguments:
        alpha: Rate of the decay, twice the peak; greater than 0.
        spiking: True gives spikes, False the primitive: :math:`\frac{1}{2} e^{\alpha u}` for
            negative u, :math:`1 - \frac{1}{2} e^{-\alpha u}` otherwise.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is not positive.

    References:
        | SLAYER: Spike Layer Error Reassignment in Time (Shrestha and Orchard, 2018)
        | https://arxiv.org/abs/1810.08646

    Example:
        >>> PiecewiseExp().derivative(torch.tensor([0.0, -1.0]))
        tensor([0.5000, 0.1839])
    """

    alpha: float

    def __init__(self, alpha: float = 1.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=positive("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        return self.alpha / 2 * torch.exp(-self.alpha * u.abs())

    def primitive(self, u: Tensor) -> Tensor:
        # Not abs: its derivative at 0 is 0, and the primitive's slope there must be the peak.
        tail = torch.exp(-self.alpha * torch.where(u < 0, -u, u)) / 2.0
        return torch.where(u < 0, tail, 1.0 - tail)


class SpikeRateEscape(Surrogate):
    r"""Exponential escape noise around the threshold, with peak and width apart.

    .. math::
        \sigma'(u) = k e^{-\beta |u|}

    The peak is at the threshold, u = 0. snnTorch 1.0.0 centres it at u = 1, one unit above the
    threshold, which its own formula means as a membrane of 1.

    Arguments:
        beta: Rate of the decay; greater than 0.
        slope: The peak :math:`k`; greater than 0.
        spiking: True gives spikes, False the primitive: :math:`\frac{k}{\beta} e^{\beta u}` for
            negative u, :math:`\frac{k}{\beta} (2 - e^{-\beta u})` otherwise.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: beta or slope is not positive.

    References:
        | Spiking Neuron Models (Gerstner and Kistler, 2002), chapter 5
        | https://doi.org/10.1017/CBO9780511815706

    Example:
        >>> SpikeRateEscape().derivative(torch.tensor([0.0, 1.0]))
        tensor([25.0000,  9.1970])
    """

    beta: float
    slope: float

    def __init__(
        self,
        beta: float = 1.0,
        slope: float = 25.0,
        spiking: bool = True,
        *,
        strict: bool = False,
    ) -> None:
        beta, slope = positive("beta", beta), positive("slope", slope)
        super().__init__(spiking, strict=strict, beta=beta, slope=slope)

    def derivative(self, u: Tensor) -> Tensor:
        return self.slope * torch.exp(-self.beta * u.abs())

    def primitive(self, u: Tensor) -> Tensor:
        tail = torch.exp(-self.beta * torch.where(u < 0, -u, u))
        return torch.where(u < 0, tail, 2.0 - tail) * (self.slope / self.beta)
