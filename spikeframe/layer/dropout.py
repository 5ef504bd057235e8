"""Dropout whose mask is drawn once per sample and held over time."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..base import MemoryModule
from ..base.location import Location, check_sequences
from ..functional.sequence import is_static, one_step, repeat
from .wrapper import check_rank

__all__ = ["Dropout", "Dropout2d"]


class Dropout(MemoryModule):
    r"""Dropout with one mask for all time steps of a sample.

    .. math::
        Y[t] = M \odot X[t], \quad
        M_i = \tfrac{1}{1 - p}\ \text{with probability } 1 - p, \text{ else } 0

    The mask is drawn at the first step after a reset and held until the next one, in both step
    modes alike (a mask drawn anew at every step would average out over time). It has the dtype
    of that first input, and is cast to the input's where that changes. In eval mode the output
    is the input, and no mask is drawn.

    Arguments:
        p: Probability that a value is dropped, 0 to 1.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, \*] or unbatched when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        mask: what the input is multiplied by, [N, \*]; None until the first step.
    Raises:
        TypeError: ``p`` is no number.
        ValueError: ``p`` is not between 0 and 1; or, at a call, the mask held is of another shape
            than the input.
        RuntimeError: At a call, the mask held is on another device than the input.
    References:
        | Enabling Spike-Based Backpropagation for Training Deep Neural Network Architectures
          (Lee et al., 2020)
        | https://doi.org/10.3389/fnins.2020.00119

    Example:
        >>> dropout = Dropout(0.5)
        >>> x = torch.ones(1, 8)
        >>> torch.equal(dropout(x), dropout(x))
        True
        >>> dropout.reset()
        >>> print(dropout.mask)
        None
    """

    replayable = True
    mask: Tensor | None

    def __init__(self, p: float = 0.5, step_mode: str = "s") -> None:
        super().__init__()
        self.p = _check_probability(p)
        self.step_mode = step_mode
        self.register_memory("mask", None)

    def forward(self, x: Tensor) -> Tensor:
        """The input in eval mode; else with values dropped."""
        if not self.training:
            return x
        y: Tensor = super().forward(x)
        return y

    def single_step_forward(self, x: Tensor) -> Tensor:
        """One step, under the mask held or a new one."""
        return x * self._mask_for(x)

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """A sequence, every step under the same mask."""
        check_sequences(self, (x_seq,))
        if is_static(x_seq):
            return repeat(self.single_step_forward(one_step(x_seq)), x_seq.shape[0])
        return x_seq * self._mask_for(x_seq.detach()[0])

    def mask_shape(self, x: Tensor) -> torch.Size:
        r"""Shape of the mask for the step ``x``, [N, \*]."""
        return x.shape

    def extra_repr(self) -> str:
        """The arguments."""
        return f"p={self.p}, step_mode={self.step_mode}"

    def _mask_for(self, x: Tensor) -> Tensor:
        if self.mask is None:
            self.mask = self._draw(x)
        self._check_fits(self.mask, x)
        return self.mask.to(x.dtype)

    def _draw(self, x: Tensor) -> Tensor:
        # torch's own dropout draws: without 0/0 at p=1. From a contiguous tensor, so that a seed
        # means the same mask in every memory format; then in the input's, which is faster to use.
        mask = F.dropout(x.new_ones(self.mask_shape(x)), self.p, training=True)
        if mask.shape != x.shape or x.is_contiguous():
            return mask
        return torch.empty_like(x).copy_(mask)

    def _check_fits(self, mask: Tensor, x: Tensor) -> None:
        if mask.shape != self.mask_shape(x):
            raise ValueError(
                f"{Location(self)}: mask has shape {list(mask.shape)} but the input is "
                f"{list(x.shape)}: call functional.reset_net(net) before a new sequence"
            )
        if mask.device != x.device:
            raise RuntimeError(
                f"{Location(self)}: mask is on {mask.device} but the input is on {x.device}: "
                "move the net with net.to(device), or call functional.reset_net(net)"
            )


class Dropout2d(Dropout):
    r"""Dropout of whole channels, with one mask for all time steps of a sample.

    As :class:`Dropout`, with one draw per channel.

    Arguments:
        p: Probability that a channel is dropped, 0 to 1.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, C, H, W] when step_mode is 's', [T, N, C, H, W] when it is 'm'.
    State:
        mask: what the input is multiplied by, [N, C, 1, 1]; None until the first step.
    Raises:
        TypeError: ``p`` is no number.
        ValueError: ``p`` is not between 0 and 1; or, at a call, the input has another rank, or
            the mask held is of another batch or number of channels.
        RuntimeError: At a call, the mask held is on another device than the input.
    References:
        | Efficient Object Localization Using Convolutional Networks (Tompson et al., 2015)
        | https://arxiv.org/abs/1411.4280

    Example:
        >>> dropout = Dropout2d(0.5, step_mode="m")
        >>> dropout(torch.ones(4, 2, 8, 3, 3)).flatten(3).var(dim=(0, 3)).count_nonzero()
        tensor(0)
    """

    def __init__(self, p: float = 0.2, step_mode: str = "s") -> None:
        super().__init__(p, step_mode)

    def forward(self, x: Tensor) -> Tensor:
        """The input in eval mode; else with channels dropped."""
        check_rank(self, x, ("[N, C, H, W]",))
        return super().forward(x)

    def mask_shape(self, x: Tensor) -> torch.Size:
        """Shape of the mask for the step ``x``: one value per channel."""
        return torch.Size((*x.shape[:2], 1, 1))


def _check_probability(p: float) -> float:
    if isinstance(p, bool) or not isinstance(p, int | float):
        raise TypeError(f"p must be a number from 0 to 1, got {p!r}")
    if not 0 <= p <= 1:
        raise ValueError(f"p must be from 0 to 1, the probability that a value drops, got {p!r}")
    return float(p)
