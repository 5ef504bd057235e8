"""The registry of surrogates: every class once, with what a test must know to judge it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from spikeframe import surrogate

__all__ = ["SURROGATES", "SurrogateCase", "derivative_equals"]


@dataclass(frozen=True)
class SurrogateCase:
    """One surrogate.

    Attributes:
        cls: The class.
        kwargs: Constructor arguments; none where the defaults will do.
        has_primitive: Whether spiking=False gives an antiderivative of the derivative.
        kinks: Where the derivative jumps or bends, so that autograd of the primitive may differ.
        step: Whether the forward pass is the Heaviside step, with the option strict.
        random: Whether the derivative is drawn anew at each call.
    """

    cls: Callable[..., surrogate.Surrogate]
    kwargs: dict[str, Any] = field(default_factory=dict)
    has_primitive: bool = True
    kinks: tuple[float, ...] = ()
    step: bool = True
    random: bool = False

    def make(self, **kwargs: Any) -> surrogate.Surrogate:
        return self.cls(**{**self.kwargs, **kwargs})

    def __str__(self) -> str:
        return self.cls.__name__


def cubed(input_: Tensor, grad_input: Tensor, spikes: Tensor) -> Tensor:
    """What a user gives to CustomSurrogate; writes into its argument as snnTorch allows."""
    grad_input /= (25 * input_.abs() + 1) ** 3
    return grad_input * (1 + spikes)


SURROGATES = [
    SurrogateCase(surrogate.Sigmoid),
    SurrogateCase(surrogate.ATan),
    SurrogateCase(surrogate.Erf),
    SurrogateCase(surrogate.SquarewaveFourierSeries, {"n": 4}),
    SurrogateCase(surrogate.PiecewiseExp),
    SurrogateCase(surrogate.SpikeRateEscape),
    SurrogateCase(surrogate.SoftSign),
    SurrogateCase(surrogate.SuperSpike, {"alpha": 3.0}),
    SurrogateCase(surrogate.FastSigmoid),
    SurrogateCase(surrogate.QPseudoSpike),
    SurrogateCase(surrogate.NonzeroSignLogAbs),
    SurrogateCase(surrogate.FakeNumericalGradient, has_primitive=False),
    SurrogateCase(surrogate.PiecewiseQuadratic, kinks=(-1, 1)),
    SurrogateCase(surrogate.Triangular, {"threshold": 0.7}, kinks=(-0.7, 0.7)),
    SurrogateCase(surrogate.Rect, kinks=(-0.5, 0.5)),
    SurrogateCase(surrogate.PiecewiseLeakyReLU, kinks=(-1, 1)),
    SurrogateCase(surrogate.SparseFastSigmoid, kinks=(-1, 1)),
    SurrogateCase(surrogate.HeavisideGradient, kinks=(0,)),
    SurrogateCase(surrogate.LeakyKReLU, {"leak": 0.2, "k": 1.5}, kinks=(0,)),
    SurrogateCase(surrogate.LeakySpikeOperator, kinks=(0,)),
    SurrogateCase(surrogate.StochasticSpikeOperator, has_primitive=False, random=True),
    SurrogateCase(surrogate.LogTailedReLU, kinks=(0,)),
    SurrogateCase(surrogate.S2NN, {"alpha": 3.0}, kinks=(0,)),
    SurrogateCase(surrogate.DeterministicPass),
    SurrogateCase(surrogate.StraightThroughEstimator),
    SurrogateCase(surrogate.PoissonPass, step=False),
    SurrogateCase(
        surrogate.MultiLevelSpikeCount, {"max_spike_count": 4}, kinks=(0, 4), step=False
    ),
    SurrogateCase(surrogate.CustomSurrogate, {"fn": cubed}, has_primitive=False),
]

POINTS = [-3.7, -1.3, -1.0, -0.6, -0.2, -1e-3, 0.0, 1e-3, 0.15, 0.45, 0.6, 1.0, 1.2, 2.5, 11.0]


def derivative_equals(spike: surrogate.Surrogate, formula: Callable[[float], float]) -> None:
    """Compares the derivative with a formula of Python floats, point by point in float64."""
    expected = torch.tensor([formula(u) for u in POINTS], dtype=torch.float64)
    result = spike.derivative(torch.tensor(POINTS, dtype=torch.float64))
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-14)
