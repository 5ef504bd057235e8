"""Spikes and traces through layers: values of the one, gradients at the other."""

import pytest
import torch
from torch import nn

from spikeframe import layer, neuron


def test_values_are_of_the_spikes_and_gradients_of_the_trace():
    linear = nn.Linear(3, 2)
    spikes, trace = torch.rand(4, 3, requires_grad=True), torch.rand(4, 3)
    output = layer.GradwithTrace(linear)([spikes, trace])
    weights = torch.rand(4, 2)
    (output * weights).sum().backward()
    assert torch.equal(output, linear(spikes))
    assert torch.allclose(linear.weight.grad, weights.T @ trace)
    assert torch.allclose(spikes.grad, weights @ linear.weight)


def test_a_module_without_weights_runs_on_both():
    spikes, trace = torch.rand(2, 4, requires_grad=True), torch.rand(2, 4)
    pooled, after = layer.SpikeTraceOp(nn.AvgPool1d(2))([spikes, trace])
    assert torch.equal(after, nn.functional.avg_pool1d(trace, 2))
    pooled.sum().backward()
    assert spikes.grad.any()


def test_a_sequence_sorts_its_modules():
    torch.manual_seed(0)
    first, last = nn.Linear(3, 8), nn.Linear(4, 2)
    nodes = [neuron.OTTTLIFNode(v_threshold=0.2) for _ in range(2)]
    net = layer.OTTTSequential(first, nodes[0], nn.AvgPool1d(2), last, nodes[1])
    x = torch.rand(5, 3) + 0.5
    spikes, trace = net(x)
    by_hand = nodes[0].trace
    assert torch.equal(trace, nodes[1].trace)
    assert by_hand.any()
    net.eval()
    for node in nodes:
        node.reset()
    assert torch.equal(net(x), spikes)


def test_a_dropout_drops_the_same_of_spikes_and_trace():
    net = layer.OTTTSequential(neuron.OTTTLIFNode(v_threshold=0.1), layer.Dropout(0.5))
    spikes, trace = net(torch.ones(1, 100))
    assert torch.equal(spikes == 0, trace == 0)


def test_what_remembers_is_refused():
    net = layer.OTTTSequential(neuron.OTTTLIFNode(), neuron.IFNode())
    with pytest.raises(ValueError, match=r"IFNode '1' runs on spikes and on their trace.*OTTTLIF"):
        net(torch.ones(2))
    inner = layer.GradwithTrace(nn.Sequential(nn.Linear(2, 2), neuron.IFNode()))
    with pytest.raises(ValueError, match=r"but module\.1 \(IFNode\) does|but 1 \(IFNode\) does"):
        inner([torch.ones(1, 2), torch.ones(1, 2)])
