"""Nets are reset, and data sets taken apart, samples and labels together."""

import numpy as np
import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe.compat.snntorch import utils


class Samples:
    def __init__(self, count):
        self.data, self.targets = torch.arange(count), list(range(count))

    def __len__(self):
        return len(self.data)


def test_parts_of_a_data_set():
    part = utils.data_subset(Samples(20), 5, idx=2)
    assert part.data.tolist() == part.targets == [8, 9, 10, 11]
    train, val = utils.valid_split(Samples(20), Samples(20), 0.25, seed=3)
    assert len(train) == 15
    assert sorted([*train.targets, *val.targets]) == list(range(20))
    assert val.data.tolist() == val.targets
    with pytest.raises(ValueError, match="split must be from 0 to 1"):
        utils.valid_split(Samples(2), Samples(2), 2.0)
    with pytest.raises(ValueError, match="idx must be from 0 to 4"):
        utils.data_subset(Samples(20), 5, idx=5)


@pytest.mark.parametrize("kind", [torch.arange, np.arange, lambda n: list(range(n))])
def test_containers_stay_what_they_are(kind):
    samples = Samples(7)
    samples.data = kind(7)
    found = utils.data_subset(samples, 2, idx=1)
    assert found is samples
    assert type(found.data) is type(kind(7))
    assert list(found.data) == found.targets == [3, 4, 5]
    assert utils.data_subset(Samples(7), 2).targets == [0, 1, 2]


def test_a_data_set_of_one_part_is_whole():
    for subset in (0, 1):
        assert len(utils.data_subset(Samples(7), subset, idx=5)) == 7
    with pytest.raises(ValueError, match="idx must be from 0 to 1, the 2 parts, got -1"):
        utils.data_subset(Samples(7), 2, idx=-1)


def test_a_split_is_that_of_its_seed():
    train, val = utils.valid_split(Samples(50), Samples(3), 0.5, seed=1)
    again, _ = utils.valid_split(Samples(50), Samples(3), 0.5, seed=1)
    other, _ = utils.valid_split(Samples(50), Samples(3), 0.5, seed=2)
    assert train.targets == again.targets != other.targets
    first, _ = utils.valid_split(Samples(50), Samples(3), 0.5)
    assert first.targets == utils.valid_split(Samples(50), Samples(3), 0.5, 0)[0].targets
    assert train.data.tolist() == train.targets
    assert train.targets != sorted(train.targets)
    assert val.targets == sorted(val.targets)


@pytest.mark.parametrize(("split", "moved"), [(0, 0), (1, 7), (0.5, 3)])
def test_the_share_that_is_moved_is_rounded_down(split, moved):
    train, val = utils.valid_split(Samples(7), Samples(7), split)
    assert (len(train), len(val)) == (7 - moved, moved)


@pytest.mark.parametrize("split", [-0.1, 1.5, float("nan")])
def test_a_share_is_from_0_to_1(split):
    with pytest.raises(ValueError, match=f"split must be from 0 to 1, the share .*, got {split}"):
        utils.valid_split(Samples(2), Samples(2), split)


def test_reset_is_of_one_net():
    nets = [nn.Sequential(nn.Sequential(snn.Leaky(0.9, init_hidden=True))) for _ in range(2)]
    for net in nets:
        net(torch.ones(2))
    utils.reset(nets[0])
    assert nets[0][0][0].mem == 0.0
    assert nets[1][0][0].mem.tolist() == [1.0, 1.0]
