import math

import pytest
import torch
from torch import nn

from spikeframe import functional, neuron
from spikeframe.model import MembraneReadout, RecurrentLayer, RecurrentNet


def spiking_net(**options):
    return RecurrentNet(
        (1, 1, 6),
        5,
        lambda: neuron.LIFNode(tau=3.0),
        readout=lambda: MembraneReadout(neuron.LIFNode(v_threshold=math.inf)),
        **options,
    )


def test_layer_is_its_equation():
    torch.manual_seed(0)
    layer = RecurrentLayer(3, 4, nn.Tanh, step_mode="m").double()
    x_seq = torch.randn(7, 2, 3, dtype=torch.float64)
    currents = x_seq @ layer.linear.weight.T
    mean, variance = currents.mean((0, 1)), currents.var((0, 1), correction=0)
    spike, expected = torch.zeros(2, 4, dtype=torch.float64), []
    for current in (currents - mean) / (variance + 1e-5).sqrt():
        spike = (current + spike @ layer.recurrent.weight.T).tanh()
        expected.append(spike)
    torch.testing.assert_close(layer(x_seq), torch.stack(expected))


@pytest.mark.parametrize("activation", [neuron.LIFNode, nn.ReLU])
def test_step_by_step_equals_a_sequence(activation):
    torch.manual_seed(0)
    layer = RecurrentLayer(3, 8, activation).double().eval()
    x_seq = 3 * torch.randn(9, 2, 3, dtype=torch.float64)
    steps = torch.stack([layer(x) for x in x_seq])
    assert steps.count_nonzero() > 0
    functional.reset_net(layer)
    functional.set_step_mode(layer, "m")
    assert layer.activation.__dict__.get("_step_mode", "s") == "s"
    torch.testing.assert_close(layer(x_seq), steps)


def test_sequence_goes_on_where_the_last_one_ended_until_a_reset():
    torch.manual_seed(0)
    net = spiking_net(hidden=(8,)).eval()
    functional.set_step_mode(net, "m")
    x_seq = torch.rand(10, 2, 1, 1, 6) * 3
    whole = net(x_seq)
    functional.reset_net(net)
    torch.testing.assert_close(torch.cat([net(x_seq[:4]), net(x_seq[4:])]), whole)
    functional.reset_net(net)
    torch.testing.assert_close(net(x_seq), whole)


def test_batch_of_another_size_is_refused():
    layer = RecurrentLayer(3, 4, nn.Identity)
    layer(torch.rand(2, 3))
    with pytest.raises(ValueError, match="reset_net"):
        layer(torch.rand(5, 3))


def test_recurrent_weights_start_orthogonal_and_small():
    weight = RecurrentLayer(3, 16, nn.ReLU).recurrent.weight
    torch.testing.assert_close(weight @ weight.T, 0.25 * torch.eye(16))


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    net = spiking_net(hidden=(16, 8))
    functional.set_step_mode(net, "m")
    net(3 * torch.rand(12, 4, 1, 1, 6)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_dropout_holds_over_a_sequence():
    net = spiking_net(hidden=(8,), dropout=0.5)
    functional.set_step_mode(net, "m")
    net(torch.rand(5, 3, 1, 1, 6))
    assert net.layers[1].mask.shape == (3, 8)


def test_twin_shares_the_weights():
    spiking, twin = spiking_net(), RecurrentNet((1, 1, 6), 5, nn.ReLU)
    twin.load_state_dict(spiking.state_dict())
    assert spiking.state_dict().keys() == twin.state_dict().keys()


@pytest.mark.parametrize("hidden", [(), (4, 0)])
def test_wrong_sizes_are_refused(hidden):
    with pytest.raises(ValueError, match="hidden must name the positive size of at least one"):
        spiking_net(hidden=hidden)
