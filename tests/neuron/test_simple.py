"""SpikingJelly's simple nodes, right where the peer's are not."""

import pytest
import torch

from spikeframe import kernels, neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_they_are_the_neurons_they_are_named_after():
    x_seq = torch.rand(20, 6, generator=torch.Generator().manual_seed(0)) * 3
    assert torch.equal(
        neuron.SimpleIFNode(step_mode="m")(x_seq), neuron.IFNode(step_mode="m")(x_seq)
    )
    for decay_input in (True, False):
        simple = neuron.SimpleLIFNode(2.0, decay_input, step_mode="m")
        assert torch.equal(simple(x_seq), neuron.LIFNode(2.0, decay_input, step_mode="m")(x_seq))


def test_they_start_at_the_reset_potential():
    assert neuron.SimpleIFNode(v_reset=-0.5).v == -0.5


def test_a_soft_reset_leaks_to_zero():
    node = neuron.SimpleLIFNode(2.0, True, v_reset=None)
    node(torch.tensor([1.0]))
    assert node.v.tolist() == [0.5]


def test_subclasses_are_fused():
    class Mine(neuron.SimpleBaseNode):
        def neuronal_charge(self, x):
            self.v = 0.5 * self.v + x

    assert kernels.why_not(Mine(), "torch") is None
