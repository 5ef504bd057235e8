"""A net of plain torch takes step modes in place, keeps its keys, and goes back."""

import copy
import pickle
from collections import OrderedDict

import pytest
import torch
from layers import LAYERS
from resnet import resnet18
from torch import nn

from spikeframe import convert, functional, layer, neuron, surrogate
from spikeframe.monitor import FiringRates

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def chain():
    """Plain torch in a Sequential."""
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 3, 3, padding=1),
            norm=nn.BatchNorm2d(3),
            act=neuron.LIFNode(surrogate_function=surrogate.ATan()),
            pool=nn.MaxPool2d(2),
            inner=nn.Sequential(nn.Flatten(), nn.Dropout(0.4)),
            fc=nn.Linear(27, 4),
        )
    ).double()


def spiking_resnet():
    torch.manual_seed(0)
    net = resnet18(num_classes=10, in_channels=1, width=4).double()
    convert.replace_activations(net, nn.ReLU, lambda: neuron.LIFNode(tau=1.5))
    # With statistics of its inputs, so that neurons fire in eval, too.
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = 1.0
        nn.init.constant_(norm.bias, 0.6)
    layer.MultiStep(net)(images())
    functional.reset_net(net)
    return net


def images(T=4, N=2, size=6):
    generator = torch.Generator().manual_seed(1)
    return 3 * torch.randn(T, N, 1, size, size, generator=generator, dtype=torch.float64)


def contents(net):
    """All that a conversion must keep, but for classes."""
    keys = {name: tensor.data_ptr() for name, tensor in net.state_dict(keep_vars=True).items()}
    return keys, [(name, id(module)) for name, module in net.named_modules()]


@pytest.mark.parametrize("build", [chain, spiking_resnet])
def test_conversion_is_in_place_and_reversible(build):
    net = build()
    before, classes = contents(net), [type(module) for module in net.modules()]
    attributes = [set(module.__dict__) for module in net.modules()]
    found = convert.to_layers(net)
    assert found is net
    assert contents(net) == before
    assert convert.to_layers(net) is net
    assert convert.to_torch(net) is net
    assert contents(net) == before
    assert [type(module) for module in net.modules()] == classes
    assert [set(module.__dict__) for module in net.modules()] == attributes


def test_plain_layers_become_ours():
    net = convert.to_layers(chain(), "m")
    assert type(net) is nn.Sequential
    assert [type(m) for m in (net.conv, net.norm, net.pool, *net.inner, net.fc)] == [
        layer.Conv2d,
        layer.BatchNorm2d,
        layer.MaxPool2d,
        layer.Flatten,
        layer.Dropout,
        layer.Linear,
    ]
    assert {m.step_mode for m in net.modules() if hasattr(m, "step_mode")} == {"m"}


@pytest.mark.parametrize("case", LAYERS, ids=str)
def test_each_layer_of_torchs_becomes_the_layer_of_its_name(case):
    plain, ours = case.build_torch(), case.build("m")
    inputs = case.inputs(3, 5)
    converted = convert.to_layers(plain, "m")
    assert converted is plain
    assert type(plain) is type(ours)
    expected = ours(*inputs)
    torch.testing.assert_close(plain(*inputs), expected)
    assert type(convert.to_torch(plain)) is getattr(nn, case.name)


@pytest.mark.parametrize("build", [chain, spiking_resnet])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_converted_net_equals_the_loop_over_steps(build, training):
    net = build().eval()
    dropouts = [m for m in net.modules() if isinstance(m, nn.Dropout)]
    convert.to_layers(net)
    for dropout in dropouts:
        dropout.train(training)
    x_seq, seed = images(), 7
    torch.manual_seed(seed)
    expected = torch.stack([net(x) for x in x_seq])
    functional.reset_net(net)
    functional.set_step_mode(net, "m")
    torch.manual_seed(seed)
    with FiringRates(net) as rates:
        torch.testing.assert_close(net(x_seq), expected, **EXACT)
    assert min(watched.mean for watched in rates.layers()) > 0.01


def test_converted_and_folded_net_train_alike():
    nets = [spiking_resnet(), spiking_resnet()]
    converted, folded = convert.to_layers(nets[0], "m"), layer.MultiStep(nets[1])
    x_seq = images()
    for net in (converted, folded):
        net.train()(x_seq).square().sum().backward()
    for ours, reference in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, reference.grad, **EXACT)
    torch.testing.assert_close(nets[0].state_dict(), nets[1].state_dict(), **EXACT)


def test_code_of_its_own_folds_and_keeps_what_is_inside():
    net = convert.to_layers(spiking_resnet(), "m")
    assert type(net).__name__ == "ResNet"
    assert isinstance(net, type(resnet18(width=4)))
    assert net.step_mode == "m"
    assert {m.step_mode for m in net.layer1.modules() if hasattr(m, "step_mode")} == {"s"}
    shapes = []
    net.layer1.register_forward_hook(lambda _, x, y: shapes.append(y.shape))
    assert net(images()).shape == (4, 2, 10)
    assert shapes[0][0] == 8


def test_modules_of_no_known_shape_fold_in_a_chain():
    class Swish(nn.Module):
        """Of a user."""

        def forward(self, x):
            return x * torch.sigmoid(x)

    class Standardised(nn.Conv2d):
        """Of a user, too."""

        def forward(self, x):
            return super().forward(x) / self.weight.std()

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.ZeroPad2d(1), Standardised(1, 4, 3), Swish(), nn.PixelShuffle(2), nn.Softmax(1)
    ).double()
    expected = torch.stack([net(x) for x in images()])
    convert.to_layers(net, "m")
    torch.testing.assert_close(net(images()), expected, **EXACT)
    twin = pickle.loads(pickle.dumps(net[3]))
    assert type(twin) is type(net[3])
    assert [type(m) for m in convert.to_torch(net)][1:] == [
        Standardised,
        Swish,
        nn.PixelShuffle,
        nn.Softmax,
    ]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_converted_nets_are_copied(copied):
    net = convert.to_layers(spiking_resnet(), "m").eval()
    twin = copied(net)
    assert type(twin) is type(net)
    assert torch.equal(twin(images()), net(images()))
    assert type(convert.to_torch(twin)) is type(resnet18(width=4))


def test_converted_dropout_holds_its_mask_and_goes_back():
    net = convert.to_layers(nn.Sequential(nn.Dropout(0.5, inplace=True), nn.Dropout2d(0.3)), "m")
    assert (net[0].p, net[1].p) == (0.5, 0.3)
    y_seq = net[0](torch.ones(4, 2, 9))
    assert torch.equal(y_seq[0], y_seq[3])
    assert 0 < (y_seq == 0).sum() < y_seq.numel()
    functional.reset_net(net)
    convert.to_torch(net)
    assert repr(net[0]) == "Dropout(p=0.5, inplace=True)"
    assert net[0](torch.ones(4, 2, 9)).shape == (4, 2, 9)
    native = convert.to_torch(nn.Sequential(layer.Dropout2d(0.2, step_mode="m")))
    assert repr(native[0]) == "Dropout2d(p=0.2, inplace=False)"
    native[0](torch.ones(2, 3, 4, 4))


def test_hooks_and_optimisers_keep_their_objects():
    net, seen = chain(), []
    net.conv.register_forward_hook(lambda *_: seen.append("conv"))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    convert.to_layers(net, "m")
    before = net.conv.weight.clone()
    net(images()).sum().backward()
    optimizer.step()
    assert seen == ["conv"]
    assert not torch.equal(net.conv.weight, before)


def test_our_modules_stay():
    container = layer.SeqToANNContainer(nn.Conv2d(1, 2, 3))
    net = nn.Sequential(container, neuron.IFNode(), layer.MultiStep(chain()))
    convert.to_layers(net, "m")
    assert type(net[0][0]) is nn.Conv2d
    assert type(net[2].model.conv) is nn.Conv2d


def test_single_steps_in_a_folding_module_check_what_is_inside():
    net = convert.to_layers(spiking_resnet())
    net.relu.step_mode = "m"
    with pytest.raises(ValueError, match=r"ResNet with step_mode 's' .* have 'm': relu \(LIFNode"):
        net(images()[0])


def test_what_cannot_be_converted_says_so():
    for function in (convert.to_layers, convert.to_torch):
        with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
            function([nn.ReLU()])
    net = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ValueError, match=r"LazyLinear '0' does not know its sizes yet: run the"):
        convert.to_layers(net)
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        convert.to_layers(chain(), "x")
    assert type(net[0]) is nn.LazyLinear
