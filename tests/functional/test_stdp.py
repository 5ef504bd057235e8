"""Plasticity by spike times, against sums written out."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from spikeframe import functional

TAUS = {"tau_pre": 3.0, "tau_post": 5.0}


def spikes(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(*shape, generator=generator) < 0.4).double()


def test_linear_by_sums_over_samples():
    synapse = nn.Linear(4, 3).double()
    x, y = spikes(6, 2, 4), spikes(6, 2, 3, seed=1)
    w = synapse.weight.detach()
    a = b = None
    trace_x, trace_y = torch.zeros(2, 4).double(), torch.zeros(2, 3).double()
    for t in range(6):
        a, b, change = functional.stdp_step(synapse, x[t], y[t], a, b, **TAUS)
        trace_x = trace_x - trace_x / 3 + x[t]
        trace_y = trace_y - trace_y / 5 + y[t]
        expected = w * torch.einsum("no,ni->oi", y[t], trace_x)
        expected -= w * torch.einsum("no,ni->oi", trace_y, x[t])
        torch.testing.assert_close(change, expected)
        assert not change.requires_grad


@pytest.mark.parametrize(
    ("synapse", "size"),
    [
        (nn.Conv2d(2, 3, 3, stride=2, padding=1), (5, 6)),
        (nn.Conv2d(2, 3, 2, padding=1, padding_mode="reflect"), (5, 6)),
        (nn.Conv2d(2, 3, 2, dilation=2), (5, 6)),
        (nn.Conv1d(2, 3, 3, stride=2, padding=1), (7,)),
    ],
)
def test_convolutions_by_sums_over_places(synapse, size):
    synapse = synapse.double()
    x = spikes(2, 2, *size)
    y = spikes(*synapse(x).shape, seed=1)
    a, b, _ = functional.stdp_step(synapse, x, y, **TAUS, f_post=lambda w: w * 0 + 2)
    change = functional.stdp_step(
        synapse, x, y, a, b, **TAUS, f_pre=torch.zeros_like, f_post=torch.ones_like
    )[2]

    def summed(before, after):
        weight = torch.ones_like(synapse.weight, requires_grad=True)
        pads = [p for p in reversed(synapse.padding) for _ in (0, 1)]
        mode = "constant" if synapse.padding_mode == "zeros" else synapse.padding_mode
        conv = F.conv2d if len(size) == 2 else F.conv1d
        out = conv(F.pad(before, pads, mode), weight, None, synapse.stride, 0, synapse.dilation)
        return torch.autograd.grad((out * after).sum(), weight)[0]

    torch.testing.assert_close(change, summed(x - x / 3 + x, y))


def test_errors_say_what_is_allowed():
    x = torch.ones(1, 2)
    with pytest.raises(ValueError, match="tau_pre and tau_post must be greater than 0"):
        functional.stdp_step(nn.Linear(2, 2), x, x, tau_pre=0.0, tau_post=1.0)
    with pytest.raises(TypeError, match=r"takes nn.Linear, nn.Conv1d or nn.Conv2d, got Bilinear"):
        functional.stdp_step(nn.Bilinear(2, 2, 2), x, x, **TAUS)
