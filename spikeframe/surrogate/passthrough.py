"""Straight-through estimators: the gradient passes as if there were no quantisation."""

__all__ = ["DeterministicPass", "MultiLevelSpikeCount", "PoissonPass", "StraightThroughEstimator"]

import torch
from torch import Tensor

from .base import Surrogate
from .parameter import number, whole


class StraightThroughEstimator(Surrogate):
    r"""The gradient passes unchanged.

    .. math::
        \sigma'(u) = 1

    Arguments:
        spiking: True gives spikes, False the primitive, u itself.
        strict: Fire only above the threshold, not at it.

    References:
        | Estimating or Propagating Gradients Through Stochastic Neurons for Conditional
          Computation (Bengio et al., 2013)
        | https://arxiv.org/abs/1308.3432

    Example:
        >>> StraightThroughEstimator().derivative(torch.tensor([-9.0, 9.0]))
        tensor([1., 1.])
    """

    def __init__(self, spiking: bool = True, *, strict: bool = False) -> None:
        super().__init__(spiking, strict=strict)

    def derivative(self, u: Tensor) -> Tensor:
        return torch.ones_like(u)

    def primitive(self, u: Tensor) -> Tensor:
        return u


class DeterministicPass(StraightThroughEstimator):
    """:class:`StraightThroughEstimator` under SpikingJelly's name.

    Example:
        >>> DeterministicPass()(torch.tensor([-1.0, 1.0]))
        tensor([0., 1.])
    """


class PoissonPass(Surrogate):
    r"""Random spikes with probability u; the gradient passes unchanged.

    .. math::
        S \sim \text{Bernoulli}(u), \qquad \sigma'(u) = 1

    Spikes are drawn from torch's global generator.

    Arguments:
        spiking: True gives spikes, False the primitive, u itself.

    Shape:
        u, output: any shape, u in 0..1; the output has u's dtype.

    Example:
        >>> PoissonPass()(torch.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """

    def __init__(self, spiking: bool = True) -> None:
        super().__init__(spiking)

    def fire(self, u: Tensor) -> Tensor:
        return torch.bernoulli(u)

    def derivative(self, u: Tensor) -> Tensor:
        return torch.ones_like(u)

    def primitive(self, u: Tensor) -> Tensor:
        return u


class MultiLevelSpikeCount(Surrogate):
    r"""Number of spikes in a step: u rounded to 0..D; the gradient passes inside a window.

    .. math::
        S = \operatorname{round}(\operatorname{clamp}(u, 0, D)), \qquad
        \sigma'(u) = 1 \text{ if } a \le u \le b \text{ else } 0

    Halves are rounded to even.

    Arguments:
        max_spike_count: The largest count D, spikes per step; an int of at least 1.
        spiking: True gives counts, False the primitive, u clamped to 0..D (the antiderivative
            for the default window only).
        grad_window: The ends (a, b) of the window, either may be infinite; None means (0, D).

    Raises:
        TypeError: max_spike_count is not an int, or grad_window is no pair of numbers.
        ValueError: max_spike_count is less than 1, or grad_window's ends are in the wrong order.

    References:
        | Integer-Valued Training and Spike-Driven Inference Spiking Neural Network for
          High-performance and Energy-efficient Object Detection (Luo et al., 2024)
        | https://arxiv.org/abs/2407.20708

    Example:
        >>> count = MultiLevelSpikeCount(4)
        >>> count(torch.tensor([-1.0, 1.7, 9.0]))
        tensor([0., 2., 4.])
        >>> count.derivative(torch.tensor([-1.0, 1.7, 9.0]))
        tensor([0., 1., 0.])
    """

    max_spike_count: int
    grad_min: float
    grad_max: float

    def __init__(
        self,
        max_spike_count: int,
        spiking: bool = True,
        grad_window: tuple[float, float] | None = None,
    ) -> None:
        count = whole("max_spike_count", max_spike_count, at_least=1)
        low, high = (0.0, float(count)) if grad_window is None else _window(grad_window)
        super().__init__(spiking, max_spike_count=count, grad_min=low, grad_max=high)

    def fire(self, u: Tensor) -> Tensor:
        return torch.round(torch.clamp(u, 0, self.max_spike_count))

    def derivative(self, u: Tensor) -> Tensor:
        inside = u == torch.clamp(u, self.grad_min, self.grad_max)
        return torch.where(inside, torch.ones_like(u), 0.0)

    def primitive(self, u: Tensor) -> Tensor:
        return torch.clamp(u, 0, self.max_spike_count)


def _window(ends: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        raise TypeError(f"grad_window must be a pair of numbers or None, got {ends!r}")
    low, high = (number("an end of grad_window", end, infinite=True) for end in ends)
    if low > high:
        raise ValueError(f"grad_window must be (smaller, larger), got {ends!r}")
    return low, high
