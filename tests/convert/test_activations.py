"""Neurons take the place of activations, one for every use."""

import copy

import pytest
import torch
from resnet import resnet18
from torch import nn
from torch.nn import functional as F

from spikeframe import convert, functional, layer, neuron


def activations(net):
    return [name for name, module in net.named_modules() if isinstance(module, neuron.LIFNode)]


def test_every_activation_is_replaced_and_everything_else_stays():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Tanh(), nn.ReLU()))
    kept = [net[0], net[2], net[2][0]]
    found = convert.replace_activations(net, nn.ReLU, lambda: neuron.LIFNode(tau=3.0))
    assert found is net
    assert [net[0], net[2], net[2][0]] == kept
    assert activations(net) == ["1", "2.1"]
    assert net[1] is not net[2][1]
    assert net[1].tau == 3.0
    convert.replace_activations(net, (nn.Tanh, neuron.LIFNode), neuron.IFNode)
    assert [type(m) for m in (net[1], *net[2])] == [neuron.IFNode] * 3


def test_a_net_that_is_an_activation_is_replaced_itself():
    assert type(convert.replace_activations(nn.ReLU(), nn.ReLU, neuron.IFNode)) is neuron.IFNode


def test_a_shared_activation_becomes_one_per_place():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Linear(2, 3), relu, nn.Linear(3, 3), relu)
    convert.replace_activations(net, nn.ReLU, neuron.LIFNode)
    assert activations(net) == ["1", "3"]


def test_an_activation_called_twice_becomes_two():
    net = resnet18(num_classes=10, in_channels=1, width=4)
    keys = list(net.state_dict())
    convert.replace_activations(net, nn.ReLU, neuron.LIFNode)
    assert len(activations(net)) == 17
    assert activations(net)[:3] == ["relu", "layer1.0.relu.0", "layer1.0.relu.1"]
    assert list(net.state_dict()) == keys


class Block(nn.Module):
    """Uses one activation twice, on inputs of one shape."""

    def __init__(self):
        super().__init__()
        self.fc, self.act = nn.Linear(3, 3), nn.ReLU()

    def forward(self, x):
        return self.act(self.fc(self.act(x)))


class TwoBlocks(Block):
    """Spelled out."""

    def __init__(self):
        super().__init__()
        self.act2 = nn.ReLU()

    def forward(self, x):
        return self.act2(self.fc(self.act(x)))


@pytest.mark.parametrize("fold", [layer.MultiStep, lambda net: convert.to_layers(net, "m")])
def test_uses_keep_states_of_their_own(fold):
    torch.manual_seed(0)
    net, reference = Block(), TwoBlocks()
    reference.load_state_dict(net.state_dict())
    x_seq = 2 * torch.rand(6, 4, 3)
    for model in (net, reference):
        convert.replace_activations(model, nn.ReLU, neuron.LIFNode)
    expected = torch.stack([reference(x) for x in x_seq])
    assert torch.equal(torch.stack([net(x) for x in x_seq]), expected)
    functional.reset_net(net)
    assert torch.equal(fold(net)(x_seq), expected)


def test_a_block_called_twice_has_four():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()

        def forward(self, x):
            return self.block(self.block(x))

    net = convert.replace_activations(nn.Sequential(Twice()), nn.ReLU, neuron.LIFNode)
    assert len(net[0].block.act) == 4
    net(torch.rand(2, 3))
    assert all(isinstance(node.v, torch.Tensor) for node in net[0].block.act)


def test_turns_begin_anew_after_a_forward_that_failed():
    net = convert.replace_activations(Block(), nn.ReLU, neuron.LIFNode)
    x, first = torch.rand(2, 3), net.act[0]
    expected = copy.deepcopy(net)(x)
    net.fc.register_forward_pre_hook(lambda module, inputs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        net(x)
    net.fc._forward_pre_hooks.clear()
    functional.reset_net(net)
    assert torch.equal(net(x), expected)
    assert net.act[0] is first


class Hidden(nn.Module):
    """Has code that torch.fx cannot follow."""

    def __init__(self, uses):
        super().__init__()
        self.uses, self.act, self.block = uses, nn.ReLU(), Block()

    def forward(self, x):
        if x.sum() > -1:
            for _ in range(self.uses):
                x = self.act(x)
        return self.block(x)


def test_code_that_cannot_be_followed_runs_where_the_guess_is_right():
    net = convert.replace_activations(Hidden(1), nn.ReLU, neuron.IFNode)
    assert (len(net.act), len(net.block.act)) == (1, 2)
    for _ in range(3):
        net(torch.rand(2, 3))


def test_code_that_cannot_be_followed_says_where_the_guess_is_wrong():
    net = convert.replace_activations(Hidden(2), nn.ReLU, neuron.IFNode)
    text = r"more than 1 times in one forward, .* \(TraceError: .*control flow\)\. Pass .* uses="
    with pytest.raises(RuntimeError, match=text):
        net(torch.rand(2, 3))
    net = convert.replace_activations(Hidden(2), nn.ReLU, neuron.IFNode, uses={"act": 2})
    for _ in range(3):
        net(torch.rand(2, 3))


def test_functions_are_announced():
    class Functions(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            return F.relu(self.act(x)).relu()

    text = r"code of Functions calls Tensor\.relu, torch\.nn\.functional\.relu, which stays"
    with pytest.warns(UserWarning, match=text):
        convert.replace_activations(Functions(), nn.ReLU, neuron.IFNode)
    convert.replace_activations(nn.Sequential(nn.Tanh(), Functions()), nn.Tanh, neuron.IFNode)


def test_a_copy_takes_turns_by_itself():
    net = convert.replace_activations(Block(), nn.ReLU, neuron.IFNode)
    twin = copy.deepcopy(net)
    x = torch.rand(2, 3)
    assert torch.equal(twin(x), net(x))
    assert not torch.equal(twin.act[0].v, torch.zeros(2, 3))
    assert torch.equal(twin(x), net(x))


def test_what_cannot_be_replaced_says_so():
    with pytest.raises(TypeError, match="net must be an nn.Module, got str"):
        convert.replace_activations("net", nn.ReLU, neuron.IFNode)
    with pytest.raises(TypeError, match=r"kinds must be a class of modules, .*got ReLU\(\)"):
        convert.replace_activations(Block(), nn.ReLU(), neuron.IFNode)
    with pytest.raises(TypeError, match="make must make a new module at every .*got IFNode"):
        convert.replace_activations(Block(), nn.ReLU, neuron.IFNode())
    with pytest.raises(ValueError, match=r"Block has no module of class GELU or Tanh: a function"):
        convert.replace_activations(Block(), (nn.GELU, nn.Tanh), neuron.IFNode)
    with pytest.raises(ValueError, match=r"uses names 'a', .* there are \['act'\]"):
        convert.replace_activations(Block(), nn.ReLU, neuron.IFNode, uses={"a": 1})
    with pytest.raises(ValueError, match=r"uses\['act'\] must be an int of at least 1, got 0"):
        convert.replace_activations(Block(), nn.ReLU, neuron.IFNode, uses={"act": 0})
