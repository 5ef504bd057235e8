"""Layers of standardised weights, against their equation."""

import torch
from torch import nn

from spikeframe import layer


def standardised(weight, gain=1.0, eps=1e-4):
    rows = [w.flatten() for w in weight]
    made = [(w - w.mean()) / (w.var() * w.numel() + eps).sqrt() for w in rows]
    return torch.stack(made).view_as(weight) * gain


def test_weights_are_standardised_per_output():
    conv, plain = layer.WSConv2d(2, 3, 3, bias=False).double(), nn.Conv2d(2, 3, 3, bias=False)
    conv.gain.data.copy_(torch.tensor([1.0, 2.0, 0.5]).view(3, 1, 1, 1))
    expected = standardised(conv.weight, conv.gain)
    torch.testing.assert_close(conv.get_weight(), expected)
    plain.double().weight.data.copy_(expected)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(conv(x), plain(x))
    assert list(conv.state_dict()) == ["weight", "gain"]


def test_linear_weights_are_standardised_too():
    fc = layer.WSLinear(4, 3, gain=False, eps=0.1).double()
    x = torch.randn(2, 4, dtype=torch.float64)
    expected = x @ standardised(fc.weight, eps=0.1).T + fc.bias
    torch.testing.assert_close(fc(x), expected)
    assert fc.gain is None
    assert isinstance(fc, nn.Linear)


def test_gradients_flow_through_the_statistics():
    fc = layer.WSLinear(4, 3).double()

    def run(weight, gain, x):
        return torch.func.functional_call(fc, {"weight": weight, "gain": gain}, (x,))

    values = (torch.randn_like(fc.weight), torch.rand_like(fc.gain), torch.randn(2, 4).double())
    assert torch.autograd.gradcheck(run, [value.requires_grad_() for value in values])
