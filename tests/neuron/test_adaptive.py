"""Adaptation currents: hand tables, and rates that fall."""

import pytest
import torch

from spikeframe import neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_adaptation_by_hand():
    class Node(neuron.AdaptBaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + x - self.w

    node = Node(tau_w=4.0, a=0.5, b=0.25, v_rest=0.0, step_mode="m", store_state_seqs=True)
    assert node(torch.tensor([[0.5], [0.75], [0.5]])).flatten().tolist() == [0, 1, 0]
    # h = 0.5, 0.5 + 0.75 - 0.0625 = 1.1875 fires, 0 + 0.5 - w
    # w = 0.25 * 0.25 = 0.0625; + (0.59375 - 0.0625) / 4 + 0.25 = 0.4453125
    assert node.state_seqs["v"].flatten().tolist() == [0.5, 0.0, 0.0546875]
    assert node.state_seqs["w"].flatten().tolist()[:2] == [0.0625, 0.4453125]


def test_the_current_starts_where_it_rests():
    node = neuron.IzhikevichNode(w_rest=0.3)
    assert node.w == 0.3
    node(torch.zeros(2))
    node.reset()
    assert node.w == 0.3
    node.set_reset_value("w", 0.7)
    node.reset()
    assert node.w == 0.7


@pytest.mark.parametrize("kind", [neuron.IzhikevichNode, neuron.AdExNode])
def test_it_fires_less_and_less(kind):
    x_seq = torch.full((200, 1), 1.5)
    adapting = kind(tau_w=60.0, b=0.2, step_mode="m")(x_seq).flatten()
    constant = kind(tau_w=60.0, b=0.0, step_mode="m")(x_seq).flatten()
    intervals = adapting.nonzero().flatten().diff()
    assert adapting.sum() < constant.sum()
    assert intervals[0] < intervals[-1]
    assert intervals.diff().min() >= -1


def test_without_adaptation_they_are_the_plain_neurons():
    x_seq = torch.rand(30, 7, generator=torch.Generator().manual_seed(0)) * 2
    quadratic = neuron.QIFNode(v_rest=-0.1, v_reset=0.0, step_mode="m", backend="eager")
    izhikevich = neuron.IzhikevichNode(step_mode="m", backend="eager")
    assert torch.equal(quadratic(x_seq), izhikevich(x_seq))
    exponential = neuron.EIFNode(step_mode="m", backend="eager")
    adex = neuron.AdExNode(b=0.0, step_mode="m", backend="eager")
    assert torch.equal(exponential(x_seq), adex(x_seq))
