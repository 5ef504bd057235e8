"""Counts become binary spikes over more steps, and back."""

import pytest
import torch

from spikeframe import layer


def test_counts_become_as_many_spikes():
    counts = torch.tensor([[0.0, 1.0], [3.0, 2.0]])
    spikes = layer.SpikeCountToBinary(3).eval()(counts)
    assert spikes.tolist() == [[0, 1], [0, 0], [0, 0], [1, 1], [1, 1], [1, 0]]
    assert torch.equal(layer.TemporalBinSum(3).eval()(spikes), counts)


def test_sequences_of_training_stay_counts():
    counts = torch.rand(4, 2)
    for kind in (layer.SpikeCountToBinary, layer.TemporalBinSum):
        assert kind(3)(counts) is counts
        assert kind(3, always_convert=True)(counts) is not counts


def test_the_gradient_is_that_of_the_mean_count():
    counts = torch.tensor([[2.0], [1.0]], requires_grad=True)
    weights = torch.arange(6.0).view(6, 1)
    (layer.SpikeCountToBinary(3, True)(counts) * weights).sum().backward()
    torch.testing.assert_close(counts.grad, torch.tensor([[1.0], [4.0]]))


def test_missing_steps_count_as_zero():
    spikes = torch.ones(5, 1)
    assert layer.TemporalBinSum(3, True)(spikes).flatten().tolist() == [3, 2]


def test_slots_are_counted_in_whole_numbers():
    for kind in (layer.SpikeCountToBinary, layer.TemporalBinSum):
        with pytest.raises(ValueError, match=r"num_slots must be an int of at least 1, got 1\.5"):
            kind(1.5)
