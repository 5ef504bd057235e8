"""The times of spikes, against a search step by step."""

import pytest
import torch

from spikeframe import functional


def search(s_seq, count):
    """The steps of the first spikes of each neuron, one by one."""
    T = s_seq.shape[0]
    times = torch.full((count, *s_seq.shape[1:]), T - 1.0)
    for n in range(s_seq.shape[1]):
        for c in range(s_seq.shape[2]):
            steps = [t for t in range(T) if s_seq[t, n, c] != 0][:count]
            for i, t in enumerate(steps):
                times[i, n, c] = t
    return times


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("count", [1, 3])
def test_times_equal_a_search(rate, count):
    generator = torch.Generator().manual_seed(0)
    s_seq = (torch.rand(9, 4, 5, generator=generator) < rate).float()
    assert torch.equal(functional.spike_times(s_seq, count), search(s_seq, count))
    assert torch.equal(functional.first_spike_times(s_seq), search(s_seq, 1)[0])


def test_the_gradient_goes_to_the_step_of_the_spike():
    s_seq = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    functional.first_spike_times(s_seq).backward(torch.tensor([2.0, 3.0]))
    assert s_seq.grad.tolist() == [[0, 0], [-2, 0], [0, -3]]


def test_spikes_may_be_worth_more_than_one():
    assert functional.first_spike_times(torch.tensor([[0.0], [2.5]])).tolist() == [1]


def test_no_steps_and_no_count_are_refused():
    with pytest.raises(ValueError, match=r"need steps, \[T, N, \*\], got \[0, 2\]"):
        functional.first_spike_times(torch.ones(0, 2))
    with pytest.raises(ValueError, match="count must be an int of at least 1, got 0"):
        functional.spike_times(torch.ones(2, 2), 0)
