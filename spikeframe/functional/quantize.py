"""States on few levels, as hardware of low precision keeps them, with a gradient through."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["LevelQuantizer", "exponential_levels", "uniform_levels"]

# Ratio of neighbouring distances, by the number of bits, at which few bits still reach far.
_RATIOS = {1: 0.05, 2: 0.1, 3: 0.3, 4: 0.5, 5: 0.7, 6: 0.9, 7: 0.925}
_RATIO = 0.95


class LevelQuantizer:
    r"""Rounds to the nearest of given levels; the gradient passes as if it did not.

    Of two levels as near, the lower one. It searches the levels by halves, so that the work and
    the memory do not grow with them (snnTorch compares every value with every level).

    Arguments:
        levels: The levels, ascending.
    Raises:
        ValueError: There are none, or they do not ascend.

    Example:
        >>> LevelQuantizer([-1.0, 0.0, 1.0])(torch.tensor([-7.0, 0.4, 0.6]))
        tensor([-1.,  0.,  1.])
    """

    def __init__(self, levels: Sequence[float] | Tensor) -> None:
        self.levels = torch.as_tensor(levels, dtype=torch.get_default_dtype())
        if self.levels.dim() != 1 or not len(self.levels) or bool((self.levels.diff() < 0).any()):
            raise ValueError(f"levels must be at least one number and ascend, got {levels}")
        self._between = (self.levels[1:] + self.levels[:-1]) / 2

    def __call__(self, x: Tensor) -> Tensor:
        """The nearest level of each value."""
        quantized: Tensor = _Nearest.apply(x, self.levels, self._between)
        return quantized

    def __repr__(self) -> str:
        ends = f"{self.levels[0].item():g} to {self.levels[-1].item():g}"
        return f"LevelQuantizer({len(self.levels)} levels, {ends})"


def uniform_levels(
    bits: int = 8, threshold: float = 1.0, lower_limit: float = 0.0, upper_limit: float = 0.2
) -> Tensor:
    r"""Evenly spaced levels from :math:`-\theta (1 + l)` to :math:`\theta (1 + u)`.

    Arguments:
        bits: There are :math:`2^{bits}` levels.
        threshold: :math:`\theta`, greater than 0.
        lower_limit: :math:`l`: how far below minus the threshold the lowest lies, as its share.
        upper_limit: :math:`u`: likewise above the threshold.
    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> uniform_levels(2, upper_limit=0.0)
        tensor([-1.0000, -0.3333,  0.3333,  1.0000])
    """
    low, high = _range(bits, threshold, lower_limit, upper_limit)
    return torch.linspace(low, high, 2**bits)


def exponential_levels(
    bits: int = 8,
    threshold: float = 1.0,
    lower_limit: float = 0.0,
    upper_limit: float = 0.2,
    *,
    centre: float = 0.0,
    ratio: float | None = None,
) -> Tensor:
    r"""Levels that lie closer the nearer they are to a centre, such as the threshold.

    From either end to the centre each distance is that before it times the ratio. Each side has
    its share of the :math:`2^{bits}` levels.

    Arguments:
        bits: There are :math:`2^{bits}` levels.
        threshold: :math:`\theta`, greater than 0.
        lower_limit: The lowest level is :math:`-\theta (1 + l)`.
        upper_limit: The highest is :math:`\theta (1 + u)`.
        centre: Where they are densest.
        ratio: Of neighbouring distances, 0 to 1; by default one that suits the bits.
    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> exponential_levels(2, upper_limit=0.0, ratio=0.5)
        tensor([-1.0000, -0.3333,  0.3333,  1.0000])
    """
    low, high = _range(bits, threshold, lower_limit, upper_limit)
    ratio = _RATIOS.get(bits, _RATIO) if ratio is None else ratio
    if not 0 < ratio <= 1 or not low <= centre <= high:
        raise ValueError(
            f"ratio must be in (0, 1] and centre in [{low:g}, {high:g}], got {ratio} and {centre}"
        )
    below = int(2**bits * (centre - low) / (high - low))
    distances = [[ratio**j for j in range(n)] for n in (below, 2**bits - below)]
    lower = _spread(distances[0], centre - low)
    upper = _spread(distances[1][::-1], high - centre)
    return torch.tensor(
        [low + at for at in (0.0, *lower[:-1])][:below] + [centre + at for at in upper]
    )


def _spread(distances: list[float], length: float) -> list[float]:
    """Where one gets by steps in these proportions that are ``length`` in all."""
    total, at = sum(distances), 0.0
    places = []
    for distance in distances:
        at += distance * length / total
        places.append(at)
    return places


def _range(bits: Any, threshold: float, lower: float, upper: float) -> tuple[float, float]:
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16:
        raise ValueError(f"bits must be an int from 1 to 16, got {bits!r}")
    if not (threshold > 0 and lower >= 0 and upper >= 0):
        raise ValueError(
            "threshold must be greater than 0 and the limits not negative, got "
            f"threshold={threshold}, lower_limit={lower}, upper_limit={upper}"
        )
    return -threshold * (1 + lower), threshold * (1 + upper)


class _Nearest(torch.autograd.Function):
    """The gradient passes unchanged."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: Tensor, between: Tensor) -> Tensor:
        places = torch.bucketize(x, between.to(x.device, x.dtype))
        return levels.to(x.device, x.dtype)[places]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad, None, None
