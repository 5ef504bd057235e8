import dataclasses

import pytest
import torch

from spikeframe.cli.augment import jitter
from spikeframe.cli.batches import Batches, checksum
from spikeframe.data import ImageSet

# There may be fewer cores than workers here.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


@pytest.fixture
def data():
    images = torch.rand(23, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return ImageSet(images, torch.arange(23), tuple(map(str, range(23))))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def epochs(data, count=3, workers=0, rng=None):
    batches = Batches(data, 5, generator() if rng is None else rng, jitter, workers)
    return [list(batches) for _ in range(count)]


def assert_same(left, right):
    for one, other in zip(left, right, strict=True):
        for (x, y, _), (x2, y2, _) in zip(one, other, strict=True):
            assert torch.equal(x, x2)
            assert torch.equal(y, y2)


def test_an_epoch_is_every_image_once(data):
    for epoch in epochs(data):
        assert [len(labels) for _, labels, _ in epoch] == [5, 5, 5, 5, 3]
        assert sorted(torch.cat([labels for _, labels, _ in epoch]).tolist()) == list(range(23))
    assert len(Batches(data, 5, generator(), jitter)) == 5


def test_epochs_differ_in_order_and_in_images(data):
    first, second = epochs(data, 2)
    orders = [torch.cat([labels for _, labels, _ in epoch]) for epoch in (first, second)]
    assert not torch.equal(*orders)
    images = [
        torch.cat([x for x, _, _ in epoch])[order.argsort()]
        for epoch, order in zip((first, second), orders, strict=True)
    ]
    assert not torch.equal(*images)


def test_each_batch_of_equal_images_is_changed_differently(data):
    alike = ImageSet(data.images[:1].expand(20, -1, -1, -1), data.labels[:20], data.classes)
    first, *others = (images for epoch in epochs(alike, 2) for images, _, _ in epoch)
    assert len(others) == 7
    assert not any(torch.equal(first, images) for images in others)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_same_batches(data, workers):
    assert_same(epochs(data), epochs(data, workers=workers))


def test_generator_state_decides_all_later_epochs(data):
    rng = generator()
    epochs(data, 2, rng=rng)
    state = rng.get_state()
    later = epochs(data, 2, rng=rng)
    rng.set_state(state)
    assert_same(later, epochs(data, 2, rng=rng))


@pytest.mark.parametrize("workers", [0, 2])
def test_global_generator_is_left_alone(data, workers):
    state = torch.get_rng_state()
    epochs(data, workers=workers)
    assert torch.equal(state, torch.get_rng_state())


def test_checksum_tells_data_apart(data):
    assert checksum(data) == checksum(dataclasses.replace(data))
    assert checksum(data) != checksum(data.take(slice(22)))
    labels = data.labels.clone()
    labels[3] = 0
    assert checksum(data) != checksum(dataclasses.replace(data, labels=labels))
    images = data.images.clone()
    images[3, 0, 2, 2] = 0
    assert checksum(data) != checksum(dataclasses.replace(data, images=images))
    strided = data.images.transpose(2, 3).contiguous().transpose(2, 3)
    assert checksum(data) == checksum(dataclasses.replace(data, images=strided))
