import io

import pytest
import torch
from recordings import recording

from spikeframe.cli.pictures import (
    clip_gif,
    clip_sheet,
    coloured,
    image_sheet,
    spike_raster,
    still,
)

Image = pytest.importorskip("PIL.Image")
WHITE = torch.ones(3)


def opened(content):
    return Image.open(io.BytesIO(content))


def test_colours_tell_polarities_apart():
    frames = torch.zeros(1, 2, 2, 2)
    frames[0, 0, 0, 0], frames[0, 1, 0, 1] = 3, 3
    picture = coloured(frames)[0]
    assert torch.equal(picture[:, 1, 1], WHITE)
    darker, brighter = picture[:, 0, 0], picture[:, 0, 1]
    assert darker[0] > darker[2]
    assert brighter[2] > brighter[0]
    assert ((picture >= 0) & (picture <= 1)).all()


def test_full_colour_does_not_depend_on_a_single_hot_pixel():
    frames = torch.zeros(1, 1, 20, 20)
    frames[0, 0, :, 0] = 1
    frames[0, 0, :, 10:] = 2
    frames[0, 0, 0, 19] = 1000
    picture = coloured(frames)[0]
    assert torch.equal(picture[:, 5, 12], picture[:, 0, 19])
    assert (picture[:, 5, 0] > picture[:, 5, 12]).any()


def test_no_events_are_white():
    assert torch.equal(coloured(torch.zeros(2, 2, 3, 3)), torch.ones(2, 3, 3, 3))


def test_still_is_all_events_or_time_to_the_right():
    assert still(torch.rand(4, 2, 5, 6)).shape == (3, 5, 6)
    ear = torch.zeros(4, 1, 1, 7)
    ear[2, 0, 0, 5] = 1
    picture = still(ear)
    assert picture.shape == (3, 7, 4)
    assert (picture < 1).any(0).nonzero().tolist() == [[5, 2]]


@pytest.mark.parametrize(("steps", "size"), [(1, (6, 5)), (8, (62, 5)), (9, (62, 12))])
def test_sheet_has_a_frame_for_each_step(steps, size):
    frames = torch.zeros(steps, 2, 5, 6)
    frames[-1, 0, 4, 5] = 1
    picture = opened(clip_sheet(frames))
    factor = picture.width // size[0]
    assert picture.size == (size[0] * factor, size[1] * factor)
    # As large as it can be seen, in whole pixels.
    assert picture.width <= 1024 < picture.width + size[0]
    column = (steps - 1) % 8 * 8 + 5
    row = (steps - 1) // 8 * 7 + 4
    assert picture.getpixel((column * factor, row * factor)) == (0xD5, 0x5E, 0x00)
    assert picture.getpixel((0, 0)) == (255, 255, 255)


def test_images_are_grey_or_coloured():
    grey = opened(image_sheet(torch.full((2, 1, 4, 4), 0.5)))
    assert grey.getpixel((0, 0)) == (128, 128, 128)
    assert opened(image_sheet(torch.rand(2, 3, 4, 4))).mode == "RGB"


def test_gif_moves_through_the_frames():
    frames = torch.zeros(5, 2, 8, 8)
    for t in range(5):
        frames[t, 1, t, t] = 1
    clip = opened(clip_gif(frames, 40))
    assert (clip.format, clip.n_frames, clip.info["duration"]) == ("GIF", 5, 40)
    for t in range(5):
        clip.seek(t)
        picture = clip.convert("RGB")
        factor = picture.width // 8
        assert picture.getpixel((t * factor, t * factor))[0] < 60
        assert picture.getpixel((((t + 1) % 5) * factor, t * factor)) == (255, 255, 255)


def test_raster_is_a_png():
    assert opened(spike_raster(recording(100, (1, 1, 700)), 700, "a word")).format == "PNG"
