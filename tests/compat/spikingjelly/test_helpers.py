import pytest
import torch
from torch import nn

from spikeframe.compat.spikingjelly.activation_based import functional, neuron


def test_efficient_training_averages_the_cross_entropy_of_steps():
    x_seq = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 3, 1])
    loss = functional.temporal_efficient_training_cross_entropy(x_seq, target)
    steps = [nn.functional.cross_entropy(x, target) for x in x_seq]
    torch.testing.assert_close(loss, torch.stack(steps).mean())
    assert torch.autograd.gradcheck(
        lambda x: functional.temporal_efficient_training_cross_entropy(x, target), x_seq
    )


def test_targets_of_several_neurons_per_class():
    targets = functional.redundant_one_hot(torch.tensor([1, 0]), num_classes=3, n=2)
    assert targets.tolist() == [[0, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]


def test_first_spike_is_found_once_along_time():
    spikes = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 1], [0, 0, 1, 1]]).float()
    expected = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]
    assert functional.first_spike_index(spikes).int().tolist() == expected


def test_weights_are_drawn_anew_and_biases_stay():
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Flatten(), nn.Linear(64, 200))
    biases = [net[0].bias.clone(), net[2].bias.clone()]
    torch.manual_seed(0)
    functional.kaiming_normal_conv_linear_weight(net)
    assert torch.equal(net[0].bias, biases[0])
    assert torch.equal(net[2].bias, biases[1])
    # gain sqrt(2 / (1 + 5)) over the square root of the inputs
    for layer, inputs in ((net[0], 27), (net[2], 64)):
        expected = (1 / 3 / inputs) ** 0.5
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.1)


def test_margin_of_the_threshold_is_for_training():
    node = neuron.IFNode()
    one_hot = torch.eye(3)[:2]
    functional.set_threshold_margin(node, one_hot)
    expected = torch.tensor([[1.1, 0.9, 0.9], [0.9, 1.1, 0.9]])
    assert torch.equal(node.v_threshold, expected)
    assert node(torch.full((2, 3), 1.0)).tolist() == [[0, 1, 1], [1, 0, 1]]
    functional.reset_net(node)
    node.eval()
    functional.set_threshold_margin(node, one_hot)
    assert node.v_threshold == 1.0
    assert node(torch.full((2, 3), 1.0)).tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("steps", [0, 1, 3, 5])
def test_delay_moves_a_sequence(steps):
    x_seq = torch.arange(1.0, 4.0)[:, None].repeat(1, 2)
    moved = functional.delay(x_seq, steps)
    assert moved[:, 0].tolist() == ([0.0] * steps + [1.0, 2.0, 3.0])[:3]
