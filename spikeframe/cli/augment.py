"""Small random changes of training samples: moved, turned, scaled, mirrored."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Augment", "Share", "jitter", "mirror", "move"]

SHIFT = 1 / 16  # of the side: half a pixel of an 8x8 digit
TURN = 10 * math.pi / 180
SCALE = 0.1


class Share(NamedTuple):
    """The part of a batch that is at hand: what is drawn is drawn for the whole batch.

    Arguments:
        size: Samples of the whole batch.
        rows: Which of them are at hand.
    """

    size: int
    rows: slice = slice(None)

    def draw(self, generator: torch.Generator) -> Tensor:
        """A number from -1 to 1 for each sample at hand."""
        return (2 * torch.rand(self.size, generator=generator) - 1)[self.rows]


Augment = Callable[[Tensor, torch.Generator, Share], Tensor]
"""Changes samples: images [N, C, H, W] or sequences [T, N, C, H, W]."""


def jitter(images: Tensor, generator: torch.Generator, share: Share) -> Tensor:
    r"""Move each image by up to a sixteenth, turn it by up to 10 degrees, scale it by up to 10 %.

    Arguments:
        images: Intensities, [N, C, H, W].
        generator: What the changes are drawn from.
        share: The part of a batch that the images are.
    Shape:
        output: [N, C, H, W]; what comes in from outside is 0.
    """
    turn, scale = share.draw(generator) * TURN, 1 + share.draw(generator) * SCALE
    cos, sin = scale * turn.cos(), scale * turn.sin()
    # The grid spans -1 to 1, so the side is 2 units long.
    row_x = torch.stack([cos, -sin, share.draw(generator) * 2 * SHIFT], dim=1)
    row_y = torch.stack([sin, cos, share.draw(generator) * 2 * SHIFT], dim=1)
    grid = F.affine_grid(
        torch.stack([row_x, row_y], dim=1), list(images.shape), align_corners=False
    )
    return F.grid_sample(images, grid, align_corners=False)


def move(x_seq: Tensor, generator: torch.Generator, share: Share, reach: float = SHIFT) -> Tensor:
    r"""Move each sequence of frames by whole pixels, up to a part of each side.

    Arguments:
        x_seq: Counts of events, [T, N, C, H, W].
        generator: What the moves are drawn from.
        share: The part of a batch that the sequences are.
        reach: The largest move as a part of the side.
    Shape:
        output: [T, N, C, H, W]; what comes in from outside is 0.
    """
    height, width = x_seq.shape[-2:]
    moves = [(share.draw(generator) * side * reach).round().int() for side in (height, width)]
    moved = torch.zeros_like(x_seq)
    for n, (dy, dx) in enumerate(zip(*(move.tolist() for move in moves), strict=True)):
        (from_y, to_y), (from_x, to_x) = _overlap(height, dy), _overlap(width, dx)
        moved[:, n, :, to_y, to_x] = x_seq[:, n, :, from_y, from_x]
    return moved


def mirror(x_seq: Tensor, generator: torch.Generator, share: Share) -> Tensor:
    r"""Move each sequence of frames as :func:`move` does, and mirror half of them.

    Arguments:
        x_seq: Counts of events, [T, N, C, H, W].
        generator: What the changes are drawn from.
        share: The part of a batch that the sequences are.
    """
    moved = move(x_seq, generator, share)
    mirrored = share.draw(generator) > 0
    moved[:, mirrored] = moved[:, mirrored].flip(-1)
    return moved


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Where pixels come from and where they go."""
    low, high = max(shift, 0), size + min(shift, 0)
    return slice(low - shift, high - shift), slice(low, high)
