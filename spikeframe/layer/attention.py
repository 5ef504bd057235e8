r"""Attention over time, channels and places: a learned weight for each, from means and maxima.

.. math::
    Y = X \odot \sigma(\operatorname{mlp}(\operatorname{mean} X) + \operatorname{mlp}(\max X))
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..base import MultiStepModule
from ..base.location import Location
from .wrapper import check_rank

__all__ = ["MultiDimensionalAttention", "TemporalWiseAttention"]


class TemporalWiseAttention(MultiStepModule, nn.Module):
    r"""A weight for each time step of each sample.

    Arguments:
        T: Number of time steps of a sequence.
        reduction: The hidden layer has T // reduction units; at most T.
        dimension: Dimensions of the step of one sample and its batch: 4 for [N, C, H, W], 2 for
            [N, M].
    Shape:
        input, output: [T, N, C, H, W] or [T, N, M], as ``dimension`` says.
    Raises:
        ValueError: ``dimension`` is not 2 or 4, or ``reduction`` exceeds T; at a call, the input
            has another rank or another T.
    References:
        | Temporal-wise Attention Spiking Neural Networks for Event Streams Classification
          (Yao et al., 2021)
        | https://arxiv.org/abs/2107.11711

    Example:
        >>> TemporalWiseAttention(4, reduction=2)(torch.rand(4, 2, 3, 5, 5)).shape
        torch.Size([4, 2, 3, 5, 5])
    """

    def __init__(self, T: int, reduction: int = 16, dimension: int = 4) -> None:
        super().__init__()
        if dimension not in (2, 4):
            raise ValueError(f"dimension must be 2 or 4, got {dimension!r}")
        _check_reduction("T", T, "reduction", reduction)
        self.T, self.dimension = T, dimension
        self.sharedMLP = nn.Sequential(
            nn.Linear(T, T // reduction, bias=False),
            nn.ReLU(),
            nn.Linear(T // reduction, T, bias=False),
        )

    def forward(self, x_seq: Tensor) -> Tensor:
        """The sequence, each step weighted."""
        check_rank(self, x_seq, ("[N, C, H, W]",) if self.dimension == 4 else ("[N, M]",))
        _check_size(self, "T", self.T, x_seq, 0)
        flat = x_seq.transpose(0, 1).flatten(2)
        # Of equal maxima one gets the gradient; amax would share it.
        maxima = F.adaptive_max_pool1d(flat, 1).squeeze(2)
        weights = torch.sigmoid(self.sharedMLP(flat.mean(2)) + self.sharedMLP(maxima))
        return x_seq * weights.T.reshape(*x_seq.shape[:2], *[1] * (x_seq.dim() - 2))

    def extra_repr(self) -> str:
        """The arguments that the layers inside do not show."""
        return f"T={self.T}, dimension={self.dimension}"


class MultiDimensionalAttention(MultiStepModule, nn.Module):
    r"""Weights for time steps, then channels, then places; any of them may be left out.

    Arguments:
        T: Number of time steps of a sequence.
        C: Number of channels.
        reduction_t: The hidden layer over time has T // reduction_t units; at most T.
        reduction_c: The hidden layer over channels has C // reduction_c units; at most C.
        kernel_size: Kernel of the convolution over places, 3 or 7.
        use_temporal: Weight time steps.
        use_channel: Weight channels.
        use_spatial: Weight places.
    Shape:
        input, output: [T, N, C, H, W].
    Raises:
        ValueError: A reduction is too large, the kernel size is another one, or nothing is to be
            weighted; at a call, the input has another rank, T or C.
    References:
        | Attention Spiking Neural Networks (Yao et al., 2023)
        | https://arxiv.org/abs/2209.13929

    Example:
        >>> attention = MultiDimensionalAttention(4, 6, reduction_t=2, reduction_c=3)
        >>> attention(torch.rand(4, 2, 6, 5, 5)).shape
        torch.Size([4, 2, 6, 5, 5])
    """

    def __init__(
        self,
        T: int,
        C: int,
        reduction_t: int = 16,
        reduction_c: int = 16,
        kernel_size: int = 3,
        use_temporal: bool = True,
        use_channel: bool = True,
        use_spatial: bool = True,
    ) -> None:
        super().__init__()
        if not (use_temporal or use_channel or use_spatial):
            raise ValueError(
                "one of use_temporal, use_channel and use_spatial must be True: there is nothing "
                "to weight"
            )
        if kernel_size not in (3, 7):
            raise ValueError(f"kernel_size must be 3 or 7, got {kernel_size!r}")
        self.T, self.C = T, C
        if use_temporal:
            _check_reduction("T", T, "reduction_t", reduction_t)
        if use_channel:
            _check_reduction("C", C, "reduction_c", reduction_c)
        self.ta = _AxisAttention(T, reduction_t, axis=1) if use_temporal else None
        self.ca = _AxisAttention(C, reduction_c, axis=2) if use_channel else None
        self.sa = _SpatialAttention(kernel_size) if use_spatial else None

    def forward(self, x_seq: Tensor) -> Tensor:
        """The sequence, weighted, and cut off below 0."""
        check_rank(self, x_seq, ("[N, C, H, W]",))
        _check_size(self, "T", self.T, x_seq, 0)
        _check_size(self, "C", self.C, x_seq, 2)
        x = x_seq.transpose(0, 1)
        for attention in (self.ta, self.ca, self.sa):
            if attention is not None:
                x = attention(x) * x
        return x.relu().transpose(0, 1)

    def extra_repr(self) -> str:
        """The arguments that the layers inside do not show."""
        return f"T={self.T}, C={self.C}"


class _AxisAttention(nn.Module):
    """A weight for each index of one axis of [N, T, C, H, W]."""

    def __init__(self, size: int, reduction: int, axis: int) -> None:
        super().__init__()
        self.axis = axis
        # Convolutions of one place: linear maps, under the names of published weights.
        self.sharedMLP = nn.Sequential(
            nn.Conv3d(size, size // reduction, 1, bias=False),
            nn.ReLU(),
            nn.Conv3d(size // reduction, size, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, self.axis)
        means, maxima = x.mean((2, 3, 4), keepdim=True), F.adaptive_max_pool3d(x, 1)
        weights = torch.sigmoid(self.sharedMLP(means) + self.sharedMLP(maxima))
        return weights.transpose(1, self.axis)


class _SpatialAttention(nn.Module):
    """A weight for each place of [N, T, C, H, W]."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1, 2)
        both = torch.cat((x.mean(1, keepdim=True), x.max(1, keepdim=True).values), 1)
        return torch.sigmoid(self.conv(both)).unsqueeze(1)


def _check_reduction(what: str, size: int, name: str, reduction: int) -> None:
    if not 1 <= reduction <= size:
        raise ValueError(
            f"{name} must be from 1 to {what}={size}, which the hidden layer divides, got "
            f"{reduction}"
        )


def _check_size(module: Any, what: str, size: int, x_seq: Tensor, dim: int) -> None:
    if x_seq.shape[dim] != size:
        raise ValueError(
            f"{Location(module)} was made for {what}={size}, got an input of shape "
            f"{list(x_seq.shape)}: make it for {what}={x_seq.shape[dim]}"
        )
