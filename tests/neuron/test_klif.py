"""The gain of KLIF: hand tables."""

import pytest
import torch
from torch import nn

from spikeframe import neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.mark.parametrize(
    ("scale_reset", "v_reset", "voltages"),
    [
        # k 2: h = relu(2 (v + (x - v) / 2)) = 0.5, then 0.5 + 1.5 = 2 fires, then -1 cut to 0
        (False, 0.0, [0.5, 0.0, 0.0]),
        (False, None, [0.5, 1.0, 0.0]),
        # the gain off again: 0.25; h = 0.25 + 1.5 = 1.75 fires, 0.875 less 0.5
        (True, 0.0, [0.25, 0.0, 0.0]),
        (True, None, [0.25, 0.375, 0.0]),
    ],
)
def test_gain_by_hand(scale_reset, v_reset, voltages):
    node = neuron.KLIFNode(scale_reset, v_reset=v_reset, k=2.0, step_mode="m", store_v_seq=True)
    spikes = node(torch.tensor([[0.5], [1.5], [-9.0]]))
    assert spikes.flatten().tolist() == [0, 1, 0]
    assert node.v_seq.flatten().tolist() == voltages


def test_the_gain_is_learned_unless_it_is_given():
    assert isinstance(neuron.KLIFNode().k, nn.Parameter)
    assert neuron.KLIFNode().k.item() == 1.0
    assert not list(neuron.KLIFNode(k=2).parameters())
    assert "k=2.0, decay_input=True, scale_reset=False" in repr(neuron.KLIFNode(k=2))
