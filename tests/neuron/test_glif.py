"""The gated neuron: what its gates turn it into."""

import pytest
import torch

from spikeframe import functional, neuron

pytestmark = pytest.mark.usefixtures("uncompiled")

OPEN, SHUT = 40.0, -40.0


def gated(T=5, **values):
    """A gated neuron whose parameters are set."""
    node = neuron.GatedLIFNode(T)
    for name, value in values.items():
        getattr(node, name).data.fill_(value)
    return node


def test_with_gates_open_it_is_a_leaky_neuron_reset_a_step_later():
    x_seq = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    node = gated(alpha=OPEN, beta=SHUT, gamma=OPEN)
    spikes = node(x_seq)
    v, s, expected = torch.zeros(6), torch.zeros(6), []
    for x in x_seq:
        v = 0.25 * v * (1 - s) + x
        s = (v >= 0.5).float()
        expected.append(s)
    assert torch.equal(spikes, torch.stack(expected))
    assert torch.allclose(node.v, v)


def test_with_gates_shut_it_decays_linearly_and_is_reset_by_an_amount():
    x_seq = torch.rand(5, 6, generator=torch.Generator().manual_seed(1)) * 0.6
    node = gated(alpha=SHUT, beta=SHUT, gamma=SHUT)
    spikes = node(x_seq)
    v, s, expected = torch.zeros(6), torch.zeros(6), []
    for x in x_seq:
        v = v - 0.05 + x - 0.5 * s
        s = (v >= 0.5).float()
        expected.append(s)
    assert torch.equal(spikes, torch.stack(expected))
    assert torch.allclose(node.v, v)


def test_each_step_has_its_gain():
    node = gated(beta=OPEN, alpha=OPEN, tau=SHUT)
    node.conduct.data.copy_(torch.tensor([OPEN, SHUT, OPEN, SHUT, SHUT]))
    node.store_v_seq = True
    node(torch.full((5, 1), 0.3))
    assert torch.allclose(node.v_seq.flatten(), torch.tensor([0.3, 0.0, 0.3, 0.0, 0.0]))


def test_the_last_spike_is_a_state():
    x_seq = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    node = gated(alpha=OPEN, beta=SHUT, gamma=OPEN)
    node(x_seq)
    s, v = node.s, node.v
    node(x_seq)
    later = gated(alpha=OPEN, beta=SHUT, gamma=OPEN)
    later.s, later.v = s, v
    later(x_seq)
    assert s.any()
    assert torch.equal(later.v, node.v)
    functional.reset_net(node)
    assert (node.s, node.v) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("inplane", "shape", "size"),
    [(None, (), (2, 3)), (4, (4, 1, 1), (2, 4, 3, 3)), ((4,), (4,), (2, 4))],
)
def test_parameters_have_the_shape_of_the_channels(inplane, shape, size):
    node = neuron.GatedLIFNode(3, inplane)
    assert {p.shape for n, p in node.named_parameters() if n != "conduct"} == {shape}
    assert node.conduct.shape == (3, *shape)
    x_seq = torch.rand(3, *size, dtype=torch.float16)
    spikes = node(x_seq)
    assert spikes.dtype == torch.float16
    assert node.v.dtype == torch.float32
    spikes.float().sum().backward()
    assert all(p.grad is not None for p in node.parameters())


def test_integers_are_read_as_float32():
    node = neuron.GatedLIFNode(3)
    assert torch.equal(node(torch.ones(3, 2, dtype=torch.int64)), node(torch.ones(3, 2)))


def test_another_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="GatedLIFNode takes sequences of T=4 steps, .* got 5"):
        neuron.GatedLIFNode(4)(torch.zeros(5, 2))
