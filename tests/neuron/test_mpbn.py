"""Membrane potential batch normalisation, and its folding into the threshold."""

import pytest
import torch
from torch import nn

from spikeframe import kernels, neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def sequence(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed)) * 2


def test_the_membrane_is_normalised_at_every_step():
    x_seq = sequence(5, 16, 3)
    node = neuron.MPBNLIFNode(2.7, out_features=3, step_mode="m", v_reset=None)
    found = node(x_seq)
    norm, v, expected = nn.BatchNorm1d(3), torch.zeros(16, 3), []
    for x in x_seq:
        h = norm(v - v / 2.7 + x)
        expected.append((h >= 1).float())
        v = h - expected[-1]
    assert torch.equal(found, torch.stack(expected))
    assert torch.equal(node.vbn.running_mean, norm.running_mean)


@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize("learnable_vth", [False, True])
def test_folded_it_fires_as_before(images, learnable_vth):
    size, arguments = (
        ((8, 3, 4, 4), {"out_channels": 3}) if images else ((8, 3), {"out_features": 3})
    )
    node = neuron.MPBNLIFNode(**arguments, learnable_vth=learnable_vth)
    if learnable_vth:
        node.a.data.copy_(torch.tensor([-0.2, 0.0, 0.3]))
    for i in range(5):
        node(sequence(*size, seed=i))
        node.reset()
    node.vbn.weight.data.copy_(torch.tensor([0.8, 1.0, 1.3]))
    node.eval()
    x = sequence(*size, seed=9)
    expected = node(x)
    node.reset()
    node.re_parameterize_v_threshold()
    assert torch.equal(node(x), expected)
    assert 0 < expected.mean() < 1
    assert node.vbn is None
    assert not hasattr(node, "a")


def test_folded_in_training_mode_it_follows_the_data():
    node = neuron.MPBNLIFNode(out_features=3, bn_momentum=0.5, bn_decay_momentum=0.5)
    node.re_parameterize_v_threshold(running_stats=True)
    x = sequence(8, 3)
    node(x)
    assert torch.allclose(node.mu, 0.5 * x.mean(0))
    assert node.bn_momentum == 0.25
    node.eval()
    node.reset()
    before = node.mu
    node(x)
    assert node.mu is before
    assert "mu" in node.state_dict()


def test_the_residual_may_stay_normalised():
    node = neuron.MPBNLIFNode(out_features=2).eval()
    node.vbn.running_mean.fill_(0.25)
    node.re_parameterize_v_threshold(normalize_residual=True)
    node(torch.tensor([[0.5, 9.0]]))
    assert torch.allclose(node.v, torch.tensor([[0.25, 0.0]]), atol=1e-5)


def test_without_normalisation_it_is_a_lif():
    x_seq = sequence(6, 4, 3)
    node = neuron.MPBNLIFNode(2.7, out_features=3, mpbn=False, step_mode="m")
    assert torch.equal(node(x_seq), neuron.LIFNode(2.7, False, step_mode="m")(x_seq))
    node.re_parameterize_v_threshold()
    assert node.folded is None


def test_it_runs_eagerly_and_says_why():
    reason = kernels.why_not(neuron.MPBNLIFNode(out_features=3), "torch")
    assert "uses the module vbn (BatchNorm1d)" in reason
    assert kernels.why_not(neuron.MPBNLIFNode(out_features=3, mpbn=False), "torch") is None


def test_half_a_net_normalises_in_half_and_remembers_in_whole():
    node = neuron.MPBNLIFNode(out_features=3, step_mode="m").bfloat16()
    assert node(sequence(4, 8, 3).bfloat16()).dtype == torch.bfloat16
    assert node.v.dtype == torch.float32


def test_arguments_and_inputs_are_checked():
    with pytest.raises(ValueError, match="give out_features .* got None and None"):
        neuron.MPBNLIFNode()
    with pytest.raises(ValueError, match="out_channels must be an int of at least 1, got 0"):
        neuron.MPBNLIFNode(out_channels=0)
    with pytest.raises(ValueError, match="got 3 and 4"):
        neuron.MPBNLIFNode(out_features=3, out_channels=4)
    with pytest.raises(ValueError, match=r"MPBNLIFNode takes steps \[N, 3\], got \[2, 4\]"):
        neuron.MPBNLIFNode(out_features=3)(torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"takes steps \[N, 3, H, W\], got \[2, 3\]"):
        neuron.MPBNLIFNode(out_channels=3)(torch.zeros(2, 3))
