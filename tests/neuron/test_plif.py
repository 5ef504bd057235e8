"""The parametric LIF neuron: its parameter."""

import math

import pytest
import torch
from cases import sequence

from spikeframe import neuron


@pytest.mark.parametrize("init_tau", [1.001, 2, 2.7, 100.0, 1e6])
def test_w_is_the_logit_of_the_inverse_time_constant(init_tau):
    node = neuron.ParametricLIFNode(init_tau)
    assert [name for name, _ in node.named_parameters()] == ["w"]
    assert node.w.shape == ()
    assert node.w.item() == pytest.approx(-math.log(init_tau - 1), rel=1e-6)
    assert node.tau.item() == pytest.approx(init_tau, rel=1e-6)


def test_w_learns():
    node = neuron.ParametricLIFNode(step_mode="m")
    optimizer = torch.optim.SGD(node.parameters(), lr=0.5)
    before = node.tau.item()
    node(sequence((8,))).sum().backward()
    optimizer.step()
    assert node.tau.item() != before


def test_one_w_per_channel():
    node = neuron.ParametricLIFNode(torch.tensor([2.0, 3.0, 5.0]).reshape(3, 1, 1), step_mode="m")
    assert node.w.shape == (3, 1, 1)
    x_seq = sequence((2, 3, 2, 2)).requires_grad_()
    spikes = node(x_seq)
    for channel, tau in enumerate((2.0, 3.0, 5.0)):
        alone = neuron.ParametricLIFNode(tau, step_mode="m")
        assert torch.equal(alone(x_seq[:, :, channel]), spikes[:, :, channel])
    spikes.sum().backward()
    assert node.w.grad.shape == (3, 1, 1)


def test_two_makes_the_same_spikes_as_a_lif_of_that_tau():
    """At tau = 2 the division and the multiplication by sigmoid(w) are both exact."""
    x_seq = sequence((5, 5))
    learned, fixed = neuron.ParametricLIFNode(2.0), neuron.LIFNode(2.0)
    for x in x_seq:
        assert torch.equal(learned(x), fixed(x))
    assert "tau=2" in repr(learned)
