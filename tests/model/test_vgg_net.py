import pytest
import torch
from torch import nn

from spikeframe import functional, neuron
from spikeframe.model import VGGNet


def net(plan=(4, 0, 6, 6, 0), shape=(2, 9, 13), activation=neuron.LIFNode, **options):
    return VGGNet(shape, 7, activation, plan=plan, **options)


@pytest.mark.parametrize("activation", [neuron.LIFNode, nn.ReLU])
def test_net_scores_every_class_at_every_step(activation):
    made = net(activation=activation)
    functional.set_step_mode(made, "m")
    assert made(torch.rand(3, 2, 2, 9, 13)).shape == (3, 2, 7)


def test_plan_is_followed():
    made = net()
    kinds = [type(part).__name__ for part in made.features]
    assert kinds == ["Sequential", "AvgPool2d", "Sequential", "Sequential", "AvgPool2d"]
    assert made.classifier.in_features == 6 * 2 * 3
    default = VGGNet((2, 64, 64), 10, nn.ReLU)
    assert default.classifier.in_features == 512 * 4 * 4


def test_step_by_step_equals_layer_by_layer():
    made = net().double().eval()
    x_seq = 2 * torch.rand(4, 3, 2, 9, 13, dtype=torch.float64)
    steps = torch.stack([made(x) for x in x_seq])
    functional.reset_net(made)
    functional.set_step_mode(made, "m")
    torch.testing.assert_close(steps, made(x_seq))


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    made = net(dropout=0.0)
    functional.set_step_mode(made, "m")
    made(3 * torch.rand(4, 3, 2, 9, 13)).square().sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_dropout_is_in_front_of_the_classifier():
    made = net(dropout=0.5)
    functional.set_step_mode(made, "m")
    made(torch.rand(4, 3, 2, 9, 13))
    assert made.dropout.mask.shape == (3, made.classifier.in_features)


@pytest.mark.parametrize("plan", [(), (0,), (4, 0, 0, 0, 0)])
def test_wrong_plans_are_refused(plan):
    with pytest.raises(ValueError, match=r"plan must have a convolution, and at most as many"):
        net(plan=plan)
