"""Differentiation on spike representation: spikes forward, the representation backward."""

import functools

import pytest
import torch

from spikeframe import functional, kernels, neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_spikes_by_hand():
    # fires 2 where the sum is at least half of it, and is less 2: 0.75, 1.5 fires, 0.25, 1 fires
    node = neuron.DSRIFNode(4, v_threshold=2.0, alpha=0.5, store_v_seq=True)
    assert node(torch.full((4, 1), 0.75)).flatten().tolist() == [0, 2, 0, 2]
    assert node.v_seq.flatten().tolist() == [0.75, -0.5, 0.25, -1.0]


def test_the_mean_output_approaches_the_mean_input():
    x = torch.linspace(-0.5, 1.5, 9)
    node = neuron.DSRIFNode(1000, v_threshold=1.0, alpha=0.5)
    assert torch.allclose(node(x.expand(1000, 9)).mean(0), x.clamp(0, 1), atol=2e-3)


def test_the_gradient_is_that_of_the_clamped_mean():
    x_seq = torch.tensor([-0.5, 0.0, 0.5, 1.0, 1.5]).expand(4, 5).clone().requires_grad_()
    node = neuron.DSRIFNode(4, v_threshold=1.0, v_threshold_grad_scaling=0.5)
    (node(x_seq) * torch.arange(20.0).reshape(4, 5)).sum().backward()
    sums = torch.arange(20.0).reshape(4, 5).sum(0)
    inside = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0])
    assert torch.equal(x_seq.grad, (sums * inside / 4).expand(4, 5))
    assert node.v_threshold.grad == 0.5 * sums[-1]


@pytest.mark.parametrize(
    "kind",
    [neuron.DSRIFNode, functools.partial(neuron.DSRLIFNode, tau=0.5, delta_t=0.5)],
    ids=["IF", "LIF"],
)
def test_a_height_per_channel_is_that_of_each_alone(kind):
    heights, parts = torch.tensor([0.3, 0.5, 0.9]), torch.tensor([0.3, 0.5, 0.8])
    x_seq = torch.rand(6, 4, 3, generator=torch.Generator().manual_seed(0))
    node = kind(6, heights, alpha=parts)
    spikes = node(x_seq)
    (spikes * x_seq).sum().backward()
    assert node.v_threshold.grad.shape == (3,)
    for i in range(3):
        alone = kind(6, heights[i].item(), alpha=parts[i].item())
        expected = alone(x_seq[..., i])
        (expected * x_seq[..., i]).sum().backward()
        assert torch.equal(spikes[..., i], expected)
        assert torch.allclose(node.v_threshold.grad[i], alone.v_threshold.grad)
    assert node.v_threshold.grad.any()
    assert kind(6, heights, v_threshold_training=False).v_threshold.requires_grad is False


def test_a_fixed_threshold_is_a_buffer():
    node = neuron.DSRIFNode(4, v_threshold_training=False)
    assert not list(node.parameters())
    assert node.v_threshold == 6.0


def test_the_threshold_keeps_its_lower_bound():
    node = neuron.DSRIFNode(2, v_threshold=1.0, v_threshold_lower_bound=0.5)
    node.v_threshold.data.fill_(0.1)
    assert node(torch.ones(2, 1)).flatten().tolist() == [0.5, 0.5]


@pytest.mark.parametrize("kind", [neuron.DSRIFNode, neuron.DSRLIFNode])
def test_backends_agree_and_states_are_kept(kind):
    assert kernels.why_not(kind(6), "torch") is None
    x_seq = torch.rand(6, 7, generator=torch.Generator().manual_seed(0))
    nodes = [kind(6, v_threshold=0.5, backend=backend) for backend in ("eager", "torch")]
    for _ in range(2):
        assert torch.equal(*(node(x_seq) for node in nodes))
    assert nodes[0].v.shape == (7,)
    functional.reset_net(nodes[0])
    assert nodes[0].v == 0.0
    assert nodes[0](x_seq.half()).dtype == torch.float16


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"T": 2.0}, TypeError, "T must be an int of at least 1, got 2.0"),
        ({"T": -1}, ValueError, "T must be an int of at least 1, got -1"),
        ({"alpha": 1.5}, ValueError, "alpha must be greater than 0 and at most 1, got 1.5"),
        ({"v_threshold": 0.05}, ValueError, "v_threshold must be at least v_threshold_lower_b"),
        ({"v_threshold_lower_bound": 0.0}, ValueError, "v_threshold_lower_bound must be"),
        ({"step_mode": "s"}, ValueError, "supports step_mode 'm' only"),
        ({"v_threshold_training": 1}, TypeError, "v_threshold_training must be True or False"),
        ({"tau": 0.0}, ValueError, "tau must be finite and greater than 0"),
        ({"delta_t": -1.0}, ValueError, "delta_t must be finite and greater than 0"),
    ],
)
def test_arguments_are_checked(arguments, error, message):
    with pytest.raises(error, match=message):
        neuron.DSRLIFNode(**arguments)


def test_another_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="DSRIFNode takes sequences of T=4 steps, got 5"):
        neuron.DSRIFNode(4)(torch.zeros(5, 2))
