"""Truncated backpropagation: the outputs of the whole, the gradients of the chunks."""

import pytest
import torch
from cases import sequence
from torch import nn

from spikeframe import functional, neuron, surrogate


def net_of():
    torch.manual_seed(0)
    node = neuron.LIFNode(surrogate_function=surrogate.ATan(), step_mode="m")
    net = nn.Sequential(nn.Linear(5, 4), node).double()
    nn.init.uniform_(net[0].weight, 0, 1.5)
    return net


def test_outputs_are_those_of_one_call():
    net, x_seq = net_of(), sequence((3, 5)).double()
    expected = net(x_seq)
    functional.reset_net(net)
    found = torch.cat(list(functional.tbptt(net, x_seq, 3)))
    torch.testing.assert_close(found, expected)
    assert not net[1].v.requires_grad


def test_gradients_are_cut_between_chunks():
    net, x_seq = net_of(), sequence((3, 5)).double().requires_grad_()
    for y_seq in functional.tbptt(net, x_seq, 3):
        y_seq.square().sum().backward()
    twin, states = net_of(), {}
    for chunk in sequence((3, 5)).double().split(3):
        functional.set_states(twin, states)
        twin(chunk).square().sum().backward()
        states = functional.get_states(twin)
    torch.testing.assert_close(net[0].weight.grad, twin[0].weight.grad)
    functional.reset_net(twin)
    twin.zero_grad()
    twin(x_seq.detach()).square().sum().backward()
    assert not torch.allclose(net[0].weight.grad, twin[0].weight.grad)


def test_a_chunk_as_long_as_the_sequence_cuts_nothing():
    grads = []
    for steps in (7, 100):
        net = net_of()
        for y_seq in functional.tbptt(net, sequence((3, 5)).double(), steps):
            y_seq.square().sum().backward()
        grads.append(net[0].weight.grad)
    assert torch.equal(*grads)


def test_the_optimiser_may_step_between_chunks():
    net, x_seq = net_of(), sequence((3, 5)).double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for y_seq, target in zip(functional.tbptt(net, x_seq, 2), x_seq.split(2), strict=True):
        optimizer.zero_grad()
        (y_seq - target[..., :4]).square().sum().backward()
        optimizer.step()
    assert not net[1].v.requires_grad


@pytest.mark.parametrize("steps", [0, True, 2.0])
def test_steps_are_checked_at_the_call(steps):
    with pytest.raises(ValueError, match=rf"steps must be an int of at least 1, got {steps!r}"):
        functional.tbptt(net_of(), sequence((3, 5)), steps)
    with pytest.raises(ValueError, match="at least one step"):
        functional.tbptt(net_of(), torch.rand(0, 3, 5), 2)
