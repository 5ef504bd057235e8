"""The winner takes all: who fires, who is reset, in any number of dimensions."""

import pytest
import torch
from cases import sequence

from spikeframe import kernels, neuron

SIZES = ((4,), (3, 4), (2, 3, 4), (2, 3, 4, 5))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("reset_delay", [True, False])
def test_one_neuron_of_a_sample_fires_and_it_alone_is_reset(size, reset_delay):
    node = neuron.Leaky(0.9, inhibition=True, reset_delay=reset_delay)
    samples = (1, 4) if len(size) == 1 else (size[0], torch.Size(size[1:]).numel())
    mem, won, competed = torch.zeros(samples), torch.zeros(samples), False
    for x in 2 * sequence(size, T=9):
        spikes = node(x).reshape(samples)
        mem = 0.9 * mem + x.reshape(samples) - won * reset_delay
        winners = torch.zeros_like(mem).scatter_(1, mem.argmax(1, keepdim=True), 1.0)
        competed |= bool(((mem > 1).sum(1) > 1).any())
        won = winners * (mem > 1)
        assert torch.equal(spikes, won)
        if not reset_delay:
            mem = mem - won
        assert torch.allclose(node.mem.reshape(samples), mem, atol=1e-5)
    assert competed
    assert won.sum(1).max() == 1


def test_the_winner_is_furthest_above_its_own_threshold():
    node = neuron.Leaky(0.9, inhibition=True, threshold=torch.tensor([1.0, 0.2, 1.0]))
    assert node(torch.tensor([[1.5, 1.0, 1.5]])).tolist() == [[0.0, 1.0, 0.0]]
    node.reset()
    assert node(torch.tensor([[1.5, 0.6, 1.5]])).tolist() == [[1.0, 0.0, 0.0]]


def test_spikes_are_graded_and_losers_have_no_gradient():
    node = neuron.Leaky(0.9, inhibition=True, graded_spikes_factor=2.0)
    x = torch.tensor([[1.5, 1.2, 0.3]], requires_grad=True)
    spikes = node(x)
    spikes.sum().backward()
    assert spikes.tolist() == [[2.0, 0.0, 0.0]]
    assert x.grad[0, 0] > 0
    assert not x.grad[0, 1:].any()


@pytest.mark.parametrize("size", [(0,), (0, 3), (3, 0)])
def test_where_nobody_is_nobody_wins(size):
    assert neuron.Leaky(0.9, inhibition=True)(torch.zeros(size)).shape == size


def test_it_runs_step_by_step_and_says_so():
    node = neuron.Synaptic(0.5, 0.9, inhibition=True, step_mode="m")
    single = neuron.Synaptic(0.5, 0.9, inhibition=True)
    x_seq = sequence((3, 4))
    assert torch.equal(node(x_seq), torch.stack([single(x) for x in x_seq]))
    assert "winner" in kernels.why_not(node, "torch")
