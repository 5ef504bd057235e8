"""Histograms count every value once, over all calls."""

import math

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron
from spikeframe.monitor import ValueHistogram


def test_counts_are_those_of_numpy():
    import numpy as np

    values = torch.randn(3, 100, dtype=torch.float64)
    net = nn.Identity()
    with ValueHistogram(net, bins=7, low=-1.5, high=1.2) as histogram:
        for x in values:
            net(x)
    (found,) = histogram.layers()
    expected, edges = np.histogram(values, 7, (-1.5, 1.2))
    assert found.counts.tolist() == expected.tolist()
    torch.testing.assert_close(found.edges, torch.from_numpy(edges))
    assert found.below == (values < -1.5).sum()
    assert found.above == (values > 1.2).sum()
    assert found.total == 300


def test_ends_infinities_and_nan_have_their_places():
    net = nn.Identity()
    with ValueHistogram(net, bins=2, low=0, high=1) as histogram:
        net(torch.tensor([0.0, 0.5, 1.0, -math.inf, math.inf, math.nan, 1.001, -0.001]))
    (found,) = histogram.layers()
    assert found.counts.tolist() == [1, 2]
    assert (found.below, found.above, found.not_numbers) == (2, 2, 1)


def test_attributes_of_neurons_are_counted():
    net = nn.Sequential(layer.Linear(6, 5), neuron.LIFNode())
    functional.set_step_mode(net, "m")
    with ValueHistogram(net, attribute="v", instance=neuron.LIFNode) as histogram:
        for _ in range(3):
            functional.reset_net(net)
            net(torch.rand(4, 2, 6))
        assert histogram.layers()[0].name == "1"
        assert histogram.layers()[0].total == 3 * 2 * 5
        histogram.clear()
        assert histogram.layers() == []
        histogram.disable()
        functional.reset_net(net)
        net(torch.rand(4, 2, 6))
        assert histogram.layers() == []
    assert not any(m._forward_hooks for m in net.modules())


def test_bins_are_checked():
    for options, text in (
        ({"bins": 0}, "bins must be an int of at least 1, got 0"),
        ({"low": 1.0, "high": 1.0}, r"low must be less than high, both finite, got 1\.0 and 1\.0"),
        ({"high": math.inf}, "both finite"),
    ):
        with pytest.raises(ValueError, match=text):
            ValueHistogram(nn.Identity(), **options)
