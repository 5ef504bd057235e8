"""A graph as a net of snnTorch's neurons, called with its states or without them."""

import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe import exchange, functional
from spikeframe.compat.snntorch.import_nir import Executor, import_from_nir

pytest.importorskip("nir")

RESET = {"reset_mechanism": "zero", "reset_delay": False}
X_SEQ = torch.randn(8, 2, 3, generator=torch.Generator().manual_seed(0))


def executor():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 3), snn.Leaky(0.8, threshold=0.2, init_hidden=True, **RESET))
    return import_from_nir(exchange.to_nir(net, X_SEQ[0]))


@pytest.mark.parametrize(
    ("lif", "kind"),
    [
        (lambda: snn.Leaky(0.8, **RESET), snn.Leaky),
        (lambda: snn.Synaptic(0.8, 0.7, **RESET), snn.Synaptic),
        (lambda: snn.RLeaky(0.8, linear_features=3, **RESET), snn.RLeaky),
        (lambda: snn.RSynaptic(0.8, 0.7, linear_features=3, **RESET), snn.RSynaptic),
    ],
)
def test_neurons_are_snntorchs_and_keep_their_states(lif, kind):
    net = import_from_nir(exchange.to_nir(lif(), X_SEQ[0]))
    assert isinstance(net, Executor)
    (made,) = net.net.layers.values()
    assert type(made) is kind
    assert made.init_hidden is True
    assert isinstance(net(X_SEQ[0])[0], torch.Tensor)


@torch.no_grad()
def test_states_are_kept_or_passed():
    net = executor()
    expected, states = [], []
    for x in X_SEQ:
        spikes, state = net(x)
        expected.append(spikes)
        states.append(state)
    assert torch.stack(expected).sum() > 0
    # From an earlier state, again and again.
    for _ in range(2):
        state = states[2]
        for t in range(3, 8):
            spikes, state = net(X_SEQ[t], state)
            assert torch.equal(spikes, expected[t])
    other = executor()
    other(X_SEQ[7])
    assert torch.equal(other(X_SEQ[4], states[3])[0], expected[4])


def test_the_state_just_returned_keeps_its_history():
    net, grads = executor(), []
    for passed in (False, True):
        functional.reset_net(net)
        x = X_SEQ[0].clone().requires_grad_()
        _, state = net(x)
        spikes, _ = net(X_SEQ[1], state if passed else None)
        grads += torch.autograd.grad(spikes.sum(), x)
    assert grads[0].any()
    assert torch.equal(*grads)
