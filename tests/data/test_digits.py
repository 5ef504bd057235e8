import sys

import pytest
import torch

from spikeframe.data import load_digits

sklearn_datasets = pytest.importorskip("sklearn.datasets")


def published():
    digits = sklearn_datasets.load_digits()
    return torch.from_numpy(digits.images).float(), torch.from_numpy(digits.target)


def sorted_rows(images, labels):
    rows = torch.cat([images.flatten(1), labels[:, None].float()], dim=1)
    return sorted(map(tuple, rows.tolist()))


def test_writers_split_is_the_last_360_as_published():
    images, labels = published()
    train, test = load_digits(split="writers")
    assert train.shape == (1, 8, 8)
    assert torch.equal(train.images[:, 0] * 16, images[:1437])
    assert torch.equal(test.images[:, 0] * 16, images[1437:])
    assert torch.equal(train.labels, labels[:1437])
    assert torch.equal(test.labels, labels[1437:])


def test_random_split_divides_all_images():
    train, test = load_digits(split="random", seed=3)
    assert (len(train), len(test)) == (1437, 360)
    images, labels = published()
    both = torch.cat([train.images, test.images])[:, 0] * 16
    found = sorted_rows(both, torch.cat([train.labels, test.labels]))
    assert found == sorted_rows(images, labels)
    assert set(test.labels.tolist()) == set(range(10))


def test_random_split_depends_on_the_seed_alone():
    first = load_digits(seed=1).test
    torch.manual_seed(99)
    torch.rand(7)
    state = torch.get_rng_state()
    again = load_digits(seed=1).test
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels, load_digits(seed=2).test.labels)


def test_random_is_the_default():
    assert torch.equal(load_digits().test.images, load_digits(split="random", seed=0).test.images)


def test_split_refuses_typo():
    with pytest.raises(ValueError, match="split must be 'random' or 'writers', got 'writer'"):
        load_digits(split="writer")


def test_missing_sklearn_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"scikit-learn.*pip install 'spikeframe\[train\]'"):
        load_digits()
