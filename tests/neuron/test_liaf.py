"""The analog output of LIAF."""

import pytest
import torch
from torch import nn

from spikeframe import kernels, neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_output_by_hand():
    x_seq = torch.full((4, 1), 1.5)
    plain = neuron.LIAFNode(torch.relu, False, step_mode="m")
    assert plain(x_seq).flatten().tolist() == [0.75, 1.125, 0.75, 1.125]
    related = neuron.LIAFNode(torch.relu, True, step_mode="m")
    assert related(x_seq).flatten().tolist() == [0.0, 0.125, 0.0, 0.125]


def test_any_activation_will_do():
    x_seq = torch.rand(9, 5, generator=torch.Generator().manual_seed(0)) * 3
    expected = neuron.LIAFNode(torch.relu, True, step_mode="m")(x_seq)
    for act in (nn.ReLU(), lambda u: u.clamp(min=0.0), nn.functional.relu):
        assert torch.equal(neuron.LIAFNode(act, True, step_mode="m")(x_seq), expected)
    module = neuron.LIAFNode(nn.ReLU(), True)
    assert "uses the module act" in kernels.why_not(module, "torch")
    assert kernels.why_not(neuron.LIAFNode(torch.tanh, True), "torch") is None
    assert "act=tanh, threshold_related=True" in repr(neuron.LIAFNode(torch.tanh, True))
