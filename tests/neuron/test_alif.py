"""The adaptive threshold: a hand table."""

import pytest
import torch

from spikeframe import neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_each_spike_raises_the_threshold_by_hand():
    # tau 2, tau_a 2, beta 1: h = v / 2 + x, threshold 1 + a
    node = neuron.ALIFNode(
        tau=2.0, tau_a=2.0, beta=1.0, decay_input=False, step_mode="m", store_state_seqs=True
    )
    spikes = node(torch.tensor([[1.5], [1.5], [0.75], [1.25]]))
    # 1.5 >= 1 fires; 1.5 < 2, 0.75 + 0.75 >= 1.5 fires, 1.25 < 1 + 1.25
    assert spikes.flatten().tolist() == [1, 0, 1, 0]
    assert node.state_seqs["a"].flatten().tolist() == [1.0, 0.5, 1.25, 0.625]
    assert node.state_seqs["v"].flatten().tolist() == [0.0, 1.5, 0.0, 1.25]


def test_a_soft_reset_subtracts_the_threshold_that_does_not_move():
    node = neuron.ALIFNode(tau=2.0, beta=1.0, v_reset=None, decay_input=False)
    node(torch.tensor([1.5]))
    assert node.v.tolist() == [0.5]
    node(torch.tensor([2.0]))
    assert node.v.tolist() == [1.25]


def test_without_a_raise_it_is_a_lif():
    x_seq = torch.rand(30, 7, generator=torch.Generator().manual_seed(0)) * 3
    assert torch.equal(
        neuron.ALIFNode(beta=0.0, step_mode="m")(x_seq), neuron.LIFNode(step_mode="m")(x_seq)
    )
