"""snnTorch's layers: batch norms of each step, spikes of learned worth."""

import torch
from torch import Tensor, nn

from ... import layer

__all__ = ["BatchNormTT1d", "BatchNormTT2d", "GradedSpikes"]


def BatchNormTT1d(
    input_features: int,
    time_steps: int,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = True,
) -> nn.ModuleList:
    """A list of a batch norm for each step, without shift.

    :class:`spikeframe.layer.BatchNormThroughTime1d` counts the steps itself.

    Example:
        >>> norms = BatchNormTT1d(4, time_steps=3)
        >>> len(norms), norms[0].bias
        (3, None)
    """
    return layer.BatchNormThroughTime1d(time_steps, input_features, eps, momentum, affine).bn_list


def BatchNormTT2d(
    input_features: int,
    time_steps: int,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = True,
) -> nn.ModuleList:
    """A list of a batch norm for each step, without shift, for [N, C, H, W]."""
    return layer.BatchNormThroughTime2d(time_steps, input_features, eps, momentum, affine).bn_list


class GradedSpikes(nn.Module):
    """Multiplies the spikes of each neuron by a worth that is learned.

    Arguments:
        size: Number of neurons, the last dimension but one.
        constant_factor: What they are worth at first; 0 or None for values from 0.5 to 1.5.

    Example:
        >>> GradedSpikes(2, 3.0)(torch.tensor([[1.0], [0.0]])).tolist()
        [[3.0], [0.0]]
    """

    def __init__(self, size: int, constant_factor: float | None) -> None:
        super().__init__()
        self.size = size
        weights = torch.rand(size, 1) + 0.5
        if constant_factor:
            weights = torch.full((size, 1), float(constant_factor))
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        """The graded spikes."""
        return x * self.weights
