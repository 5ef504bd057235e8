"""Small random changes of training images: moved, turned, scaled."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["jitter"]

SHIFT = 1 / 16  # of the side: half a pixel of an 8x8 digit
TURN = 10 * math.pi / 180
SCALE = 0.1


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    r"""Move each image by up to a sixteenth, turn it by up to 10 degrees, scale it by up to 10 %.

    Arguments:
        images: Intensities, [N, C, H, W].
        generator: What the changes are drawn from.
    Shape:
        output: [N, C, H, W]; what comes in from outside is 0.
    """

    def draw(largest: float) -> Tensor:
        return (2 * torch.rand(len(images), generator=generator) - 1) * largest

    turn, scale = draw(TURN), 1 + draw(SCALE)
    cos, sin = scale * turn.cos(), scale * turn.sin()
    # The grid spans -1 to 1, so the side is 2 units long.
    row_x = torch.stack([cos, -sin, draw(2 * SHIFT)], dim=1)
    row_y = torch.stack([sin, cos, draw(2 * SHIFT)], dim=1)
    grid = F.affine_grid(
        torch.stack([row_x, row_y], dim=1), list(images.shape), align_corners=False
    )
    return F.grid_sample(images, grid, align_corners=False)
