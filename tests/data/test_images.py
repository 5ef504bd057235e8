import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from spikeframe.data import ImageSet, Split
from spikeframe.data.images import unit_images


def make_set(n=5, classes=("a", "b", "c")):
    images = torch.arange(n * 2 * 3 * 4).reshape(n, 2, 3, 4) / (n * 24)
    return ImageSet(images, torch.arange(n) % len(classes), classes)


@pytest.mark.parametrize("index", [0, -1, slice(1, 4), [4, 0], torch.tensor([2, 2])])
def test_image_set_index_returns_images_and_labels(index):
    data = make_set()
    images, labels = data[index]
    assert torch.equal(images, data.images[index])
    assert torch.equal(labels, data.labels[index])


def test_image_set_iteration_ends():
    assert [int(label) for _, label in make_set()] == [0, 1, 2, 0, 1]


def test_image_set_feeds_data_loader():
    data = make_set()
    batches = list(DataLoader(data, batch_size=2))
    assert [len(labels) for _, labels in batches] == [2, 2, 1]
    assert torch.equal(torch.cat([images for images, _ in batches]), data.images)
    assert torch.equal(torch.cat([labels for _, labels in batches]), data.labels)


def test_image_set_feeds_data_loader_whole_batches():
    data = make_set()
    sampler = BatchSampler(SequentialSampler(data), batch_size=3, drop_last=False)
    batches = list(DataLoader(data, batch_size=None, sampler=sampler))
    assert [images.shape for images, _ in batches] == [(3, 2, 3, 4), (2, 2, 3, 4)]
    assert torch.equal(torch.cat([images for images, _ in batches]), data.images)


def test_image_set_survives_pickle():
    data = make_set()
    copy = pickle.loads(pickle.dumps(data))
    assert torch.equal(copy.images, data.images)
    assert torch.equal(copy.labels, data.labels)
    assert copy.classes == data.classes


def test_image_set_is_frozen():
    with pytest.raises(AttributeError):
        make_set().labels = torch.zeros(5)


def test_image_set_take_keeps_classes():
    data = make_set().take([3, 1])
    assert data.labels.tolist() == [0, 1]
    assert data.classes == ("a", "b", "c")
    assert torch.equal(data.images, make_set().images[[3, 1]])


def test_image_set_accepts_float64_and_bounds():
    images = torch.tensor([0.0, 1.0], dtype=torch.float64).reshape(2, 1, 1, 1)
    assert ImageSet(images, torch.tensor([0, 0]), ("a",)).images.dtype == torch.float64


@pytest.mark.parametrize(
    ("images", "labels", "error", "match"),
    [
        (np.zeros((1, 1, 2, 2)), torch.tensor([0]), TypeError, "floating-point .* got ndarray"),
        (torch.zeros(1, 1, 2, 2).byte(), torch.tensor([0]), TypeError, "got torch.uint8"),
        (torch.zeros(1, 2, 2), torch.tensor([0]), ValueError, r"\[N, C, H, W\].*got \[1, 2, 2\]"),
        (torch.zeros(0, 1, 2, 2), torch.zeros(0).long(), ValueError, "at least one image"),
        (torch.full((1, 1, 2, 2), 1.5), torch.tensor([0]), ValueError, "got 1.5 to 1.5"),
        (torch.full((1, 1, 2, 2), -0.1), torch.tensor([0]), ValueError, "got -0.1 to -0.1"),
        (torch.full((1, 1, 2, 2), torch.nan), torch.tensor([0]), ValueError, "got nan to nan"),
        (torch.zeros(1, 1, 2, 2), [0], TypeError, "int64 tensor, got list"),
        (torch.zeros(1, 1, 2, 2), torch.tensor([0.0]), TypeError, "got torch.float32"),
        (torch.zeros(1, 1, 2, 2), torch.tensor([0, 1]), ValueError, r"be \[1\].*got \[2\]"),
        (torch.zeros(1, 1, 2, 2), torch.tensor([2]), ValueError, r"0\.\.1 for 2 classes, got 2"),
        (torch.zeros(1, 1, 2, 2), torch.tensor([-1]), ValueError, r"got -1\.\.-1"),
    ],
)
def test_image_set_refuses(images, labels, error, match):
    with pytest.raises(error, match=match):
        ImageSet(images, labels, ("a", "b"))


def test_split_unpacks():
    train, test = Split(train=make_set(5), test=make_set(2))
    assert (len(train), len(test)) == (5, 2)


def test_split_refuses_other_shape():
    other = ImageSet(torch.zeros(1, 1, 3, 4), torch.tensor([0]), ("a", "b", "c"))
    with pytest.raises(ValueError, match=r"one shape, got \[2, 3, 4\] and \[1, 3, 4\]"):
        Split(make_set(), other)


def test_split_refuses_other_classes():
    with pytest.raises(ValueError, match=r"same classes, got .*'c'.*'d'"):
        Split(make_set(), make_set(classes=("a", "b", "d")))


def test_unit_images_joins_and_scales():
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (5, 2, 3, 4), np.uint8)
    images = unit_images([whole[:2], whole[2:]])
    assert images.dtype == torch.float32
    assert torch.equal(images, torch.from_numpy(whole).float() / 255)
