"""Normalisation of spikes by a running mean over the channels."""

import math

import torch
from torch import Tensor, nn

from ..base import MemoryModule
from ..base.location import Location
from .wrapper import check_rank

__all__ = ["NeuNorm"]


class NeuNorm(MemoryModule):
    r"""Subtracts what all channels of a place have in common, weighted.

    .. math::
        M[t] &= k M[t-1] + \tfrac{1 - k}{C^2} \sum_c S_c[t] \\
        Y[t] &= S[t] - W M[t]

    Arguments:
        in_channels: Number of channels C.
        height: Height of the input.
        width: Width of the input.
        k: Decay of the mean per step, 0 to 1.
        shared_across_channels: One weight for all channels.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, C, H, W] when step_mode is 's', [T, N, C, H, W] when it is 'm'.
    State:
        x: the mean M, [N, 1, H, W]; starts at 0.
    Raises:
        ValueError: A size is not positive, or k is not between 0 and 1; at a call, the input has
            another rank or other sizes, or the state held is that of another batch.
    References:
        | Direct Training for Spiking Neural Networks: Faster, Larger, Better (Wu et al., 2019)
        | https://arxiv.org/abs/1809.05793

    Example:
        >>> norm = NeuNorm(8, 3, 3, step_mode="m")
        >>> norm(torch.ones(4, 1, 8, 3, 3)).shape, norm.x.shape
        (torch.Size([4, 1, 8, 3, 3]), torch.Size([1, 1, 3, 3]))
    """

    x: Tensor

    def __init__(
        self,
        in_channels: int,
        height: int,
        width: int,
        k: float = 0.9,
        shared_across_channels: bool = False,
        step_mode: str = "s",
    ) -> None:
        super().__init__()
        if min(in_channels, height, width) < 1:
            raise ValueError(
                "in_channels, height and width must be at least 1, got "
                f"{[in_channels, height, width]}"
            )
        if not 0 <= k <= 1:
            raise ValueError(f"k must be from 0 to 1, the decay per step, got {k}")
        self.in_channels, self.height, self.width, self.k = in_channels, height, width, k
        self.w = nn.Parameter(
            torch.empty(1 if shared_across_channels else in_channels, height, width)
        )
        nn.init.kaiming_uniform_(self.w, a=math.sqrt(5))
        self.step_mode = step_mode
        self.register_memory("x", 0.0)

    def forward(self, s: Tensor) -> Tensor:
        """One step or a sequence, as ``step_mode`` says."""
        check_rank(self, s, ("[N, C, H, W]",))
        sizes = (self.in_channels, self.height, self.width)
        if tuple(s.shape[-3:]) != sizes:
            raise ValueError(
                f"{Location(self)} was made for [C, H, W] = {list(sizes)}, got an input of shape "
                f"{list(s.shape)}: make it for that size"
            )
        y: Tensor = super().forward(s)
        return y

    def single_step_forward(self, s: Tensor) -> Tensor:
        """The step less the weighted mean."""
        self.fit_memories(s[:, :1])
        s = s if s.is_floating_point() else s.to(self.x.dtype)
        common = s.to(self.x.dtype).sum(1, keepdim=True)
        self.x = self.k * self.x + (1 - self.k) / self.in_channels**2 * common
        return s - (self.w * self.x).to(s.dtype)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"shape={list(self.w.shape)}, k={self.k}, step_mode={self.step_mode}"
