"""Surrogate gradients with one rule below the threshold and another above it."""

__all__ = [
    "HeavisideGradient",
    "LeakyKReLU",
    "LeakySpikeOperator",
    "LogTailedReLU",
    "S2NN",
    "StochasticSpikeOperator",
]

import torch
from torch import Tensor

from .base import Surrogate
from .parameter import nonnegative, number, positive


class LeakyKReLU(Surrogate):
    r"""Leaky rectifier with a slope of its own above the threshold.

    .. math::
        \sigma'(u) = k \text{ where it fires, else } \lambda

    The order of arguments is SpikingJelly 2.0.0's; its release 0.0.0.0.14 had spiking first.

    Arguments:
        leak: Derivative :math:`\lambda` below the threshold; at least 0.
        k: Derivative above; at least 0.
        spiking: True gives spikes, False the primitive :math:`k \max(u, 0) + \lambda \min(u, 0)`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: leak or k is negative.

    Example:
        >>> LeakyKReLU(leak=0.1).derivative(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.1000, 1.0000, 1.0000])
    """

    leak: float
    k: float

    def __init__(
        self, leak: float = 0.0, k: float = 1.0, spiking: bool = True, *, strict: bool = False
    ) -> None:
        leak, k = nonnegative("leak", leak), nonnegative("k", k)
        super().__init__(spiking, strict=strict, leak=leak, k=k)

    def derivative(self, u: Tensor) -> Tensor:
        return torch.where(self.fired(u), self.k * torch.ones_like(u), self.leak)

    def primitive(self, u: Tensor) -> Tensor:
        return torch.where(self.fired(u), _line(u, self.k), _line(u, self.leak))


class LeakySpikeOperator(Surrogate):
    r"""The spike itself as its derivative, with a leak where there is none.

    .. math::
        \sigma'(u) = 1 \text{ where it fires, else } k

    snnTorch 1.0.0 documents this as ``LSO`` and raises when it is called.

    Arguments:
        slope: Derivative :math:`k` without a spike; at least 0.
        spiking: True gives spikes, False the primitive :math:`\max(u, 0) + k \min(u, 0)`.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: slope is negative.

    Example:
        >>> LeakySpikeOperator().derivative(torch.tensor([-1.0, 1.0]))
        tensor([0.1000, 1.0000])
    """

    slope: float

    def __init__(self, slope: float = 0.1, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, slope=nonnegative("slope", slope))

    def derivative(self, u: Tensor) -> Tensor:
        return torch.where(self.fired(u), torch.ones_like(u), self.slope)

    def primitive(self, u: Tensor) -> Tensor:
        return torch.where(self.fired(u), u, _line(u, self.slope))


class HeavisideGradient(Surrogate):
    r"""The spike itself as its derivative.

    .. math::
        \sigma'(u) = \Theta(u)

    Arguments:
        spiking: True gives spikes, False the primitive :math:`\max(u, 0)`.
        strict: Fire only above the threshold, not at it.

    Example:
        >>> HeavisideGradient().derivative(torch.tensor([-1.0, 1.0]))
        tensor([0., 1.])
    """

    def __init__(self, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict)

    def derivative(self, u: Tensor) -> Tensor:
        return torch.where(self.fired(u), torch.ones_like(u), 0.0)

    def primitive(self, u: Tensor) -> Tensor:
        return torch.where(self.fired(u), u, 0.0)


class StochasticSpikeOperator(Surrogate):
    r"""The spike itself as its derivative, with noise where there is none.

    .. math::
        \sigma'(u) = 1 \text{ where it fires, else } (r + m) \nu, \qquad r \sim U(-0.5, 0.5)

    The noise is drawn anew in every backward pass from torch's global generator.

    Arguments:
        mean: Shift :math:`m` of the noise before it is scaled.
        variance: Scale :math:`\nu` of the noise (its variance is :math:`\nu^2 / 12`; the name is
            snnTorch's); at least 0.
        spiking: Only True: there is no primitive.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: mean is not finite or variance is negative.

    Example:
        >>> noisy = StochasticSpikeOperator(mean=0.5, variance=0.2)
        >>> below, above = noisy.derivative(torch.tensor([-1.0, 1.0]))
        >>> 0 <= below <= 0.2, above
        (tensor(True), tensor(1.))
    """

    mean: float
    variance: float

    def __init__(
        self,
        mean: float = 0.0,
        variance: float = 0.2,
        spiking: bool = True,
        *,
        strict: bool = False,
    ) -> None:
        mean, variance = number("mean", mean), nonnegative("variance", variance)
        super().__init__(spiking, strict=strict, mean=mean, variance=variance)

    def derivative(self, u: Tensor) -> Tensor:
        noise = (torch.rand_like(u) - 0.5 + self.mean) * self.variance
        return torch.where(self.fired(u), 1.0, noise)


class LogTailedReLU(Surrogate):
    r"""Leaky rectifier that grows like a logarithm beyond 1.

    .. math::
        \sigma'(u) = \begin{cases}
            \alpha & u \le 0 \\ 1 & 0 < u \le 1 \\ 1 / u & u > 1
        \end{cases}

    Arguments:
        alpha: Derivative below the threshold; at least 0.
        spiking: True gives spikes, False the primitive: :math:`\alpha u`, u, :math:`\log(u) + 1`
            on the three pieces.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha is negative.

    References:
        | Deep Learning with Low Precision by Half-wave Gaussian Quantization (Cai et al., 2017)
        | https://arxiv.org/abs/1702.00953

    Example:
        >>> LogTailedReLU(alpha=0.1).derivative(torch.tensor([-1.0, 0.5, 4.0]))
        tensor([0.1000, 1.0000, 0.2500])
    """

    alpha: float

    def __init__(self, alpha: float = 0.0, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict, alpha=nonnegative("alpha", alpha))

    def derivative(self, u: Tensor) -> Tensor:
        return torch.where(u <= 0, self.alpha, 1 / torch.clamp(u, min=1.0))

    def primitive(self, u: Tensor) -> Tensor:
        rising = torch.where(u <= 1, u, torch.log(torch.clamp(u, min=1.0)) + 1.0)
        return torch.where(u <= 0, _line(u, self.alpha), rising)


class S2NN(Surrogate):
    r"""Sigmoid below the threshold, logarithm above it.

    .. math::
        \sigma'(u) = \begin{cases}
            \alpha s (1 - s), \; s = 1 / (1 + e^{-\alpha u}) & u < 0 \\
            \beta / (u + 1) & u \ge 0
        \end{cases}

    The two sides do not meet at the threshold unless :math:`\alpha = 4 \beta`.

    Arguments:
        alpha: Slope of the sigmoid; greater than 0.
        beta: Derivative at the threshold; greater than 0.
        spiking: True gives spikes, False the primitive: s for negative u,
            :math:`\beta \log(u + 1) + \frac{1}{2}` otherwise.
        strict: Fire only above the threshold, not at it.

    Raises:
        ValueError: alpha or beta is not positive.

    References:
        | S3NN: Time Step Reduction of Spiking Surrogate Gradients for Training Energy Efficient
          Single-Step Spiking Neural Networks (Suetake et al., 2022)
        | https://arxiv.org/abs/2201.10879

    Example:
        >>> S2NN().derivative(torch.tensor([-1e9, 0.0, 1.0]))
        tensor([0.0000, 1.0000, 0.5000])
    """

    alpha: float
    beta: float

    def __init__(
        self, alpha: float = 4.0, beta: float = 1.0, spiking: bool = True, *, strict: bool = False
    ) -> None:
        alpha, beta = positive("alpha", alpha), positive("beta", beta)
        super().__init__(spiking, strict=strict, alpha=alpha, beta=beta)

    def derivative(self, u: Tensor) -> Tensor:
        s = torch.sigmoid(self.alpha * u)
        # Without relu the unused branch divides by 0 at -1, which spoils second derivatives.
        return torch.where(u < 0, self.alpha * s * (1.0 - s), self.beta / (torch.relu(u) + 1.0))

    def primitive(self, u: Tensor) -> Tensor:
        above = self.beta * torch.log(torch.clamp(u, min=0.0) + 1.0) + 0.5
        return torch.where(u < 0, torch.sigmoid(u * self.alpha), above)


def _line(u: Tensor, slope: float) -> Tensor:
    """Slope times u with u kept finite: 0 * inf would be nan."""
    largest = torch.finfo(u.dtype).max
    return slope * torch.clamp(u, -largest, largest)
