"""Losses of spike times."""

import pytest
import torch
from torch.nn import functional as F

from spikeframe import functional

TARGET = torch.tensor([2, 0, 3])


@pytest.fixture
def s_seq():
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(8, 3, 4, generator=generator) < 0.2).float().requires_grad_()


def test_wanted_times_count_from_the_end():
    times = functional.spike_time_targets(torch.tensor([1, 0]), 2, 10, 3, -2)
    assert times.tolist() == [[8, 3], [3, 8]]
    several = functional.spike_time_targets(torch.tensor([1]), 2, 10, [0, 4], [-2, -1])
    assert several.tolist() == [[[8, 0]], [[9, 4]]]
    with pytest.raises(ValueError, match="must name as many spikes"):
        functional.spike_time_targets(torch.tensor([1]), 2, 10, [0, 4], [-1])


def test_mse_is_in_shares_of_the_steps(s_seq):
    times = torch.full((3, 4), 2.0)
    actual = functional.first_spike_times(s_seq)
    expected = ((actual - times) / 8).square()
    torch.testing.assert_close(functional.spike_time_mse(s_seq, times), expected.mean())
    weight = torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(
        functional.spike_time_mse(s_seq, times, weight=weight, reduction="none"),
        expected * weight[:, None],
    )


def test_a_spike_that_is_nearly_on_time_costs_nothing():
    s_seq = torch.zeros(8, 1, 3)
    s_seq[[2, 3, 5], 0, [0, 1, 2]] = 1
    s_seq.requires_grad_()
    times = torch.full((1, 3), 3.0)
    loss = functional.spike_time_mse(s_seq, times, tolerance=2, reduction="none")
    assert loss.tolist() == [[0, 0, 4 / 64]]
    loss.sum().backward()
    assert s_seq.grad[[2, 3], 0, [0, 1]].tolist() == [0, 0]
    assert s_seq.grad[5, 0, 2] == -2 * 2 / 64


@pytest.mark.parametrize("inverse", ["negate", "reciprocal"])
def test_the_class_that_fires_first_wins(s_seq, inverse):
    times = functional.first_spike_times(s_seq)
    scores = -times if inverse == "negate" else 1 / (times + 1)
    found = functional.spike_time_cross_entropy(s_seq, TARGET, inverse)
    torch.testing.assert_close(found, F.cross_entropy(scores, TARGET))
    found.backward()
    assert s_seq.grad.abs().sum() > 0


def test_errors_say_what_is_allowed(s_seq):
    with pytest.raises(ValueError, match="inverse must be 'negate' or 'reciprocal', got 'minus'"):
        functional.spike_time_cross_entropy(s_seq, TARGET, "minus")
    with pytest.raises(ValueError, match=r"must fit the outputs \[3, 4\], got \[5, 4\]"):
        functional.spike_time_mse(s_seq, torch.zeros(5, 4))
