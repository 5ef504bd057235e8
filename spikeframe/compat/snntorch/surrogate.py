"""snnTorch's surrogate gradients: factories, and the names that old tutorials ``apply``.

Each is a module of :mod:`spikeframe.surrogate` that fires above the threshold only; unlike
snnTorch's closures it can be pickled, and the kernels fuse it.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ... import surrogate as native
from .neurons import Heaviside

__all__ = [
    "LSO",
    "SFS",
    "SSO",
    "ATan",
    "FastSigmoid",
    "Heaviside",
    "LeakySpikeOperator",
    "Sigmoid",
    "SparseFastSigmoid",
    "SpikeRateEscape",
    "StochasticSpikeOperator",
    "StraightThroughEstimator",
    "Triangular",
    "atan",
    "custom_surrogate",
    "fast_sigmoid",
    "heaviside",
    "sigmoid",
    "spike_rate_escape",
    "straight_through_estimator",
    "triangular",
]


def atan(alpha: float = 2.0) -> native.Surrogate:
    """Arc tangent, the default.

    Example:
        >>> import torch
        >>> u = torch.tensor([0.0, 0.5], requires_grad=True)
        >>> atan()(u).sum().backward()
        >>> u.grad
        tensor([1.0000, 0.2884])
    """
    return native.ATan(alpha, strict=True)


def fast_sigmoid(slope: float = 25) -> native.Surrogate:
    """Fast sigmoid."""
    return native.FastSigmoid(slope, strict=True)


def sigmoid(slope: float = 25) -> native.Surrogate:
    """Logistic function; finite everywhere (snnTorch's is nan below -3.6)."""
    return native.Sigmoid(slope, strict=True)


def straight_through_estimator() -> native.Surrogate:
    """A gradient of 1."""
    return native.StraightThroughEstimator(strict=True)


def heaviside() -> native.Surrogate:
    """The spike itself as its gradient."""
    return native.HeavisideGradient(strict=True)


def triangular(threshold: float = 1) -> native.Surrogate:
    """A triangle (snnTorch's has one height everywhere, and the wrong sign above 0)."""
    return native.Triangular(threshold, strict=True)


def spike_rate_escape(beta: float = 1, slope: float = 25) -> native.Surrogate:
    """Escape noise around the threshold (snnTorch's is centred one unit above it)."""
    return native.SpikeRateEscape(beta, slope, strict=True)


def SSO(mean: float = 0, variance: float = 0.2) -> native.Surrogate:
    """The spike as its gradient, and noise where there is none."""
    return native.StochasticSpikeOperator(mean, variance, strict=True)


def LSO(slope: float = 0.1) -> native.Surrogate:
    """The spike as its gradient, and a small one where there is none (snnTorch's raises)."""
    return native.LeakySpikeOperator(slope, strict=True)


def SFS(slope: float = 25, B: float = 1) -> native.Surrogate:
    """Fast sigmoid near the threshold (snnTorch's is 0 but far above it)."""
    return native.SparseFastSigmoid(slope, B, strict=True)


def custom_surrogate(
    custom_surrogate_function: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> native.Surrogate:
    """A gradient of your own, ``f(input_, grad_input, spikes)``."""
    return native.CustomSurrogate(custom_surrogate_function, strict=True)


class _Applied:
    """A name that is applied to a distance from the threshold and the surrogate's numbers."""

    def __init__(self, factory: Callable[..., native.Surrogate]) -> None:
        self._factory = factory

    def apply(self, input_: Tensor, *numbers: Any) -> Tensor:
        """The spikes."""
        spikes: Tensor = self._factory(*numbers)(input_)
        return spikes


ATan = _Applied(atan)
FastSigmoid = _Applied(fast_sigmoid)
LeakySpikeOperator = _Applied(LSO)
Sigmoid = _Applied(sigmoid)
SparseFastSigmoid = _Applied(SFS)
SpikeRateEscape = _Applied(spike_rate_escape)
StochasticSpikeOperator = _Applied(SSO)
StraightThroughEstimator = _Applied(straight_through_estimator)
Triangular = _Applied(triangular)
