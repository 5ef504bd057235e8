import numpy as np
import pytest
import torch

from spikeframe.data import from_dataset


class Picture:
    """What numpy sees of a PIL image: an array interface over read-only memory."""

    def __init__(self, values):
        self.values = values
        self.values.setflags(write=False)

    def __array__(self, dtype=None, copy=None):
        return self.values


class Named(list):
    classes = ("cat", "dog")


RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (2, 4, 6), np.uint8)
COLOUR = RNG.integers(0, 256, (2, 4, 6, 3), np.uint8)


@pytest.mark.parametrize("wrap", [np.array, Picture])
def test_from_dataset_reads_grey_arrays(wrap):
    data = from_dataset([(wrap(GREY[0].copy()), 0), (wrap(GREY[1].copy()), 1)])
    assert torch.equal(data.images[:, 0], torch.from_numpy(GREY).float() / 255)
    assert data.labels.tolist() == [0, 1]


@pytest.mark.parametrize("wrap", [np.array, Picture])
def test_from_dataset_moves_channels_first(wrap):
    data = from_dataset([(wrap(COLOUR[0].copy()), 1), (wrap(COLOUR[1].copy()), 0)])
    expected = torch.from_numpy(COLOUR).permute(0, 3, 1, 2).float() / 255
    assert data.shape == (3, 4, 6)
    assert torch.equal(data.images, expected)


def test_from_dataset_keeps_tensors():
    images = torch.rand(2, 3, 4, 6)
    data = from_dataset([(images[0], torch.tensor(2)), (images[1], np.int64(0))])
    assert torch.equal(data.images, images)
    assert data.labels.tolist() == [2, 0]
    assert data.classes == ("0", "1", "2")


def test_from_dataset_scales_byte_tensors():
    data = from_dataset([(torch.full((1, 2, 2), 51, dtype=torch.uint8), 0)])
    assert torch.equal(data.images, torch.full((1, 1, 2, 2), 0.2))


def test_from_dataset_takes_class_names():
    pairs = Named([(GREY[0], 1)])
    assert from_dataset(pairs).classes == ("cat", "dog")
    assert from_dataset(pairs, classes=["x", "y"]).classes == ("x", "y")


@pytest.mark.parametrize(
    ("pairs", "error", "match"),
    [
        ([], ValueError, "at least one image, got an empty one"),
        (
            [(GREY[0], 0), (GREY[0, 1:], 0)],
            ValueError,
            r"one shape, got \[\(1, 3, 6\), \(1, 4, 6\)",
        ),
        ([(GREY[0].astype(int), 0)], TypeError, "uint8 or floating point, got torch.int64"),
        ([(GREY[0, 0], 0)], ValueError, r"\[H, W\] or \[H, W, C\], got \[6\]"),
        ([(GREY[0] * 2.0 + 1, 0)], ValueError, r"must lie in \[0, 1\]"),
        ([(GREY[0], -1)], ValueError, "labels must lie in"),
    ],
)
def test_from_dataset_refuses(pairs, error, match):
    with pytest.raises(error, match=match):
        from_dataset(pairs)
