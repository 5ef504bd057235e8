"""Pictures of frames of events: colours for polarities, a sheet or a moving picture of a clip."""

import io
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["clip_gif", "clip_sheet", "coloured", "image_sheet", "spike_raster", "still"]

# Okabe and Ito's blue and vermilion, told apart by colour-blind readers too.
BRIGHTER, DARKER = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
# A picture's longer side is enlarged to about so many pixels: a sheet's, a moving picture's.
SHEET, CLIP = 1024, 256
COLUMNS = 8
GAP = 2  # pixels between the frames of a sheet, before the enlargement


def coloured(frames: Tensor) -> Tensor:
    """Frames as colours: blue where it became brighter, red where darker, white where nothing.

    The colour is full where a pixel has as many events as the 99th hundredth of those with any.

    Arguments:
        frames: Counts, [T, C, H, W].
    Shape:
        output: [T, 3, H, W], from 0 to 1.
    """
    busy = frames[frames > 0]
    full = torch.quantile(busy[:: 1 + len(busy) // 10**6], 0.99).item() if len(busy) else 1.0
    share = (frames / full).clamp_(max=1)
    inks = torch.tensor([DARKER, BRIGHTER] if frames.shape[1] == 2 else [BRIGHTER]) / 255
    # Each polarity takes from the white what its colour lacks.
    taken = torch.einsum("tchw,cr->trhw", share, 1 - inks)
    return (1 - taken).clamp_(min=0)


def still(frames: Tensor) -> Tensor:
    """One image of a clip [T, C, H, W]: all its events, [3, H, W]; an ear's, time to the right."""
    if frames.shape[2] == 1:
        return coloured(frames.sum(1).permute(1, 2, 0)[None])[0]
    return coloured(frames.sum(0, keepdim=True))[0]


def clip_sheet(frames: Tensor) -> bytes:
    """The frames of a clip [T, C, H, W] side by side, as a PNG file's content."""
    return _png(_sheet(coloured(frames)))


def image_sheet(images: Tensor) -> bytes:
    """Images [N, C, H, W] side by side, as a PNG file's content."""
    return _png(_sheet(images.expand(-1, 3, -1, -1)))


def clip_gif(frames: Tensor, milliseconds: int) -> bytes:
    """The frames of a clip [T, C, H, W] one after the other, as a GIF file's content.

    Arguments:
        frames: Counts.
        milliseconds: How long each is shown.
    """
    pictures = [_enlarged(frame, CLIP) for frame in coloured(frames)]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=milliseconds,
        loop=0,
    )
    return buffer.getvalue()


def spike_raster(events: np.ndarray, channels: int, title: str) -> bytes:
    """A dot for each spike of an ear, time to the right, channels upwards, as a PNG's content."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot(events["t"] / 1000, events["x"], ".", color="black", markersize=1.5)
    axes.set(title=title, xlabel="time (ms)", ylabel="channel", ylim=(-1, channels))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _sheet(pictures: Tensor) -> Tensor:
    """Pictures [N, 3, H, W] in rows, with grey lines between them."""
    count, _, height, width = pictures.shape
    columns = min(COLUMNS, count)
    rows = math.ceil(count / columns)
    sheet = torch.full((3, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), 0.8)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet


def _png(picture: Tensor) -> bytes:
    buffer = io.BytesIO()
    _enlarged(picture, SHEET).save(buffer, format="PNG")
    return buffer.getvalue()


def _enlarged(picture: Tensor, side: int) -> Any:
    """A picture [3, H, W] as Pillow's, each pixel a square of whole pixels."""
    from PIL import Image

    image = Image.fromarray((picture.movedim(0, -1) * 255).round().byte().numpy())
    factor = max(side // max(image.size), 1)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
