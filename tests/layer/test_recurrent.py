"""Feedback containers against their equations."""

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron


def sequence(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_element_wise_feedback():
    net = layer.ElementWiseRecurrentContainer(nn.Tanh(), lambda y, x: x - 0.5 * y, step_mode="m")
    x_seq, y, expected = sequence(5, 2, 3), torch.zeros(2, 3).double(), []
    for x in x_seq:
        y = torch.tanh(x - 0.5 * y)
        expected.append(y)
    torch.testing.assert_close(net(x_seq), torch.stack(expected))
    assert torch.equal(net.y, expected[-1])


def test_linear_feedback():
    inner = nn.Linear(3, 4)
    net = layer.LinearRecurrentContainer(inner, 3, 4, step_mode="m").double()
    x_seq, y, expected = sequence(5, 2, 3), torch.zeros(2, 4).double(), []
    for x in x_seq:
        y = inner(torch.cat((x, y), 1) @ net.rc.weight.T + net.rc.bias)
        expected.append(y)
    torch.testing.assert_close(net(x_seq), torch.stack(expected))
    assert set(net.state_dict()) == {
        f"{m}.{p}" for m in ("rc", "sub_module") for p in ("weight", "bias")
    }
    assert layer.LinearRecurrentContainer(inner, 3, 4, bias=False).rc.bias is None


def test_a_neuron_inside_keeps_its_mode_and_is_reset():
    net = nn.Sequential(layer.LinearRecurrentContainer(neuron.LIFNode(), 3, 3))
    functional.set_step_mode(net, "m")
    assert (net[0].step_mode, net[0].sub_module.step_mode) == ("m", "s")
    first = net(torch.ones(4, 2, 3))
    functional.reset_net(net)
    assert net[0].sub_module.v == 0.0
    assert torch.equal(net(torch.ones(4, 2, 3)), first)


def test_modules_for_sequences_are_refused():
    text = r"LinearRecurrentContainer runs step by step, .* but LIFNode has 'm'\. Call functional"
    with pytest.raises(ValueError, match=text):
        layer.LinearRecurrentContainer(neuron.LIFNode(step_mode="m"), 3, 3)
    net = layer.ElementWiseRecurrentContainer(neuron.LIFNode(), torch.add)
    net.sub_module.step_mode = "m"
    with pytest.raises(ValueError, match="but LIFNode has 'm'"):
        net(torch.ones(2, 3))


def test_other_features_are_refused():
    net = nn.Sequential(layer.LinearRecurrentContainer(nn.Identity(), 3, 3))
    with pytest.raises(ValueError, match=r"'0' takes steps \[N, \*, 3\], got \[2, 4\]: make it"):
        net(torch.ones(2, 4))
