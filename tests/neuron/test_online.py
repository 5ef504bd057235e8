"""Neurons for online training: no gradient from step to step."""

import pytest
import torch

from spikeframe import functional, neuron, surrogate

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.mark.parametrize("kind", [neuron.OTTTLIFNode, neuron.SLTTLIFNode])
def test_steps_do_not_see_each_other_in_training(kind):
    node = kind(surrogate_function=surrogate.ATan())
    steps = [torch.rand(3, requires_grad=True) for _ in range(3)]
    outputs = [node(x) for x in steps]
    last = outputs[-1][0] if isinstance(outputs[-1], list) else outputs[-1]
    last.sum().backward()
    assert [x.grad is None for x in steps] == [True, True, False]
    node.eval().reset()
    steps = [torch.rand(3, requires_grad=True) for _ in range(3)]
    [node(x) for x in steps][-1].sum().backward()
    assert all(x.grad is not None and x.grad.any() for x in steps)


def test_the_trace_by_hand():
    node = neuron.OTTTLIFNode(tau=2.0)
    traces = [node(torch.tensor([x]))[1].item() for x in (1.5, 0.0, 1.5)]
    assert traces == [1.0, 0.5, 1.25]
    assert not node.trace.requires_grad
    node.eval()
    assert node(torch.tensor([1.5])).item() in (0.0, 1.0)
    assert node.trace.item() == 1.25


def test_a_learned_tau_does_not_tie_the_steps_together():
    node = neuron.OTTTLIFNode(tau=torch.nn.Parameter(torch.tensor(2.0)))
    for _ in range(3):
        spikes, trace = node(torch.rand(3) * 2)
        assert not trace.requires_grad
        spikes.sum().backward()
    assert node.tau.grad is not None


def test_spikes_are_those_of_a_lif():
    x_seq = torch.rand(20, 6, generator=torch.Generator().manual_seed(0)) * 2
    plain = neuron.LIFNode(2.0, False, v_reset=None)
    ottt = neuron.OTTTLIFNode(2.0)
    for x in x_seq:
        assert torch.equal(plain(x), ottt(x)[0])


def test_a_sequence_has_the_gradients_of_its_steps():
    x_seq = (torch.rand(9, 4, generator=torch.Generator().manual_seed(0)) * 3).requires_grad_()
    node = neuron.SLTTLIFNode(surrogate_function=surrogate.ATan(), step_mode="m", backend="torch")
    (node(x_seq) * torch.arange(36.0).reshape(9, 4)).sum().backward()
    whole, x_seq.grad = x_seq.grad, None
    functional.reset_net(node)
    node.step_mode, node.backend = "s", "auto"
    for x, weight in zip(x_seq, torch.arange(36.0).reshape(9, 4), strict=True):
        (node(x) * weight).sum().backward()
    assert torch.allclose(x_seq.grad, whole, rtol=1e-5)


def test_sequences_are_not_for_ottt():
    with pytest.raises(ValueError, match="OTTTLIFNode supports step_mode 's' only, got 'm'"):
        neuron.OTTTLIFNode(step_mode="m")
