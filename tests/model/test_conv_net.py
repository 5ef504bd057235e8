import math

import pytest
import torch
from torch import nn

from spikeframe import functional, neuron
from spikeframe.model import ConvNet, MembraneReadout

SHAPES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "cifar10": (3, 32, 32), "odd": (2, 5, 9)}


def spiking_net(shape=(1, 8, 8), classes=10, **options):
    return ConvNet(
        shape,
        classes,
        neuron.LIFNode,
        readout=lambda: MembraneReadout(neuron.LIFNode(v_threshold=math.inf)),
        **options,
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("activation", [neuron.LIFNode, nn.ReLU])
def test_net_scores_every_class_at_every_step(shape, activation):
    net = ConvNet(shape, 7, activation, channels=(4, 6, 8))
    functional.set_step_mode(net, "m")
    assert net(torch.rand(3, 2, *shape)).shape == (3, 2, 7)


def test_step_by_step_equals_layer_by_layer():
    net = spiking_net(channels=(4, 6)).double().eval()
    x = torch.rand(5, 1, 8, 8, dtype=torch.float64)
    steps = torch.stack([net(x) for _ in range(4)])
    functional.reset_net(net)
    functional.set_step_mode(net, "m")
    torch.testing.assert_close(steps, net(x.expand(4, *x.shape)))


def test_moving_images_step_as_they_run_in_sequence():
    net = spiking_net(channels=(4, 6)).double().eval()
    x_seq = torch.rand(4, 5, 1, 8, 8, dtype=torch.float64)
    steps = torch.stack([net(x) for x in x_seq])
    functional.reset_net(net)
    functional.set_step_mode(net, "m")
    torch.testing.assert_close(steps, net(x_seq))


def test_still_image_is_convolved_once():
    net = spiking_net(channels=(4, 6))
    functional.set_step_mode(net, "m")
    seen = []
    for stage in net.stages:
        stage.activation.register_forward_pre_hook(lambda _, x: seen.append(x[0].stride(0)))
    x = torch.rand(5, 1, 8, 8)
    net(x.expand(4, *x.shape))
    assert seen[0] == 0
    assert seen[1] > 0


def test_every_parameter_gets_a_gradient():
    net = spiking_net()
    functional.set_step_mode(net, "m")
    x = torch.rand(5, 1, 8, 8)
    net(x.expand(4, *x.shape)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_pooling_ends_before_the_image_does():
    def sides(shape):
        net = ConvNet(shape, 10, nn.ReLU)
        return [hasattr(stage, "pool") for stage in net.stages], net.classifier.in_features

    assert sides((1, 8, 8)) == ([True, True, False], 128 * 2 * 2)
    assert sides((1, 28, 28)) == ([True, True, True], 128 * 3 * 3)
    assert sides((3, 32, 32)) == ([True, True, True], 128 * 4 * 4)
    assert sides((1, 3, 20)) == ([False, False, False], 128 * 3 * 20)


def test_twin_shares_the_weights():
    spiking, twin = spiking_net(), ConvNet((1, 8, 8), 10, nn.ReLU)
    twin.load_state_dict(spiking.state_dict())
    assert spiking.state_dict().keys() == twin.state_dict().keys()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((8, 8), 10), r"image_shape must be \[C, H, W\], three positive numbers, got \[8, 8\]"),
        (((1, 0, 8), 10), r"image_shape must be .* got \[1, 0, 8\]"),
        (((1, 8, 8), 0), "n_classes must be at least 1, got 0"),
    ],
)
def test_wrong_sizes_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        ConvNet(*arguments, nn.ReLU)


@pytest.mark.parametrize("channels", [(), (4, 0)])
def test_wrong_channels_are_refused(channels):
    with pytest.raises(ValueError, match="channels must name the positive width of at least one"):
        ConvNet((1, 8, 8), 10, nn.ReLU, channels=channels)


def test_hidden_layers_stand_before_the_classifier():
    net = spiking_net(channels=(4, 6), hidden=(12, 9), dropout=0.5)
    functional.set_step_mode(net, "m")
    kinds = [type(part).__name__ for part in net.hidden]
    assert kinds == ["Dropout", "Linear", "LIFNode"] * 2
    assert (net.hidden[1].in_features, net.classifier.in_features) == (6 * 2 * 2, 9)
    assert net(torch.rand(3, 2, 1, 8, 8)).shape == (3, 2, 10)
    assert net.hidden[0].mask.shape == (2, 6 * 2 * 2)
    assert net.dropout.mask.shape == (2, 9)


def test_net_without_hidden_layers_has_the_weights_it_always_had():
    names = {name.split(".")[0] for name in spiking_net().state_dict()}
    assert names == {"stages", "classifier"}


def test_wrong_hidden_layers_are_refused():
    with pytest.raises(ValueError, match="hidden layers must have at least one neuron, got"):
        spiking_net(hidden=(4, 0))
