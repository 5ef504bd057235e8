"""The surrogates as functions: ``atan(x, alpha)``, ``atan.apply(x, alpha)`` as in SpikingJelly."""

__all__ = [
    "SpikeFunction",
    "atan",
    "deterministic_pass",
    "erf",
    "fake_numerical_gradient",
    "leaky_k_relu",
    "log_tailed_relu",
    "nonzero_sign_log_abs",
    "piecewise_exp",
    "piecewise_leaky_relu",
    "piecewise_quadratic",
    "poisson_pass",
    "q_pseudo_spike",
    "rect",
    "s2nn",
    "sigmoid",
    "soft_sign",
    "squarewave_fourier_series",
    "super_spike",
]

from typing import Any

from torch import Tensor

from .base import Surrogate
from .exponential import PiecewiseExp
from .hyperbolic import (
    FakeNumericalGradient,
    NonzeroSignLogAbs,
    QPseudoSpike,
    SoftSign,
    SuperSpike,
)
from .passthrough import DeterministicPass, PoissonPass
from .ramp import S2NN, LeakyKReLU, LogTailedReLU
from .smooth import ATan, Erf, Sigmoid, SquarewaveFourierSeries
from .window import PiecewiseLeakyReLU, PiecewiseQuadratic, Rect


class SpikeFunction:
    """A surrogate as a function of the input and the surrogate's own arguments.

    Arguments:
        surrogate: The class whose constructor takes the further arguments.

    Example:
        >>> import torch
        >>> atan(torch.tensor([-1.0, 1.0]), 2.0)
        tensor([0., 1.])
        >>> atan.apply(torch.tensor([-1.0, 1.0]), 2.0)
        tensor([0., 1.])
    """

    def __init__(self, surrogate: type[Surrogate]) -> None:
        self.surrogate = surrogate

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self.surrogate(*args, **kwargs)(x)

    apply = __call__

    def __repr__(self) -> str:
        return f"SpikeFunction({self.surrogate.__name__})"


atan = SpikeFunction(ATan)
deterministic_pass = SpikeFunction(DeterministicPass)
erf = SpikeFunction(Erf)
fake_numerical_gradient = SpikeFunction(FakeNumericalGradient)
leaky_k_relu = SpikeFunction(LeakyKReLU)
log_tailed_relu = SpikeFunction(LogTailedReLU)
nonzero_sign_log_abs = SpikeFunction(NonzeroSignLogAbs)
piecewise_exp = SpikeFunction(PiecewiseExp)
piecewise_leaky_relu = SpikeFunction(PiecewiseLeakyReLU)
piecewise_quadratic = SpikeFunction(PiecewiseQuadratic)
poisson_pass = SpikeFunction(PoissonPass)
q_pseudo_spike = SpikeFunction(QPseudoSpike)
rect = SpikeFunction(Rect)
s2nn = SpikeFunction(S2NN)
sigmoid = SpikeFunction(Sigmoid)
soft_sign = SpikeFunction(SoftSign)
squarewave_fourier_series = SpikeFunction(SquarewaveFourierSeries)
super_spike = SpikeFunction(SuperSpike)
