"""A net that mixes layers: what is torch's own is watched in 'm', and nothing else changes."""

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron


class Net(nn.Module):
    """One step, in the style of plain torch."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.lif = neuron.LIFNode()
        self.fc = nn.Linear(32, 3)

    def forward(self, x):
        return self.fc(torch.flatten(self.lif(self.conv(x)), 1))


class FoldsByHand(nn.Module):
    """As the published spiking transformers do: plain layers on a folded batch."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.block = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
        self.lif = neuron.LIFNode(step_mode="m")
        self.conv1, self.bn1 = nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2)
        self.namespace = nn.Sequential(nn.Conv2d(2, 2, 1), neuron.LIFNode(step_mode="m"))
        self.head = nn.Linear(2, 3)

    def forward(self, x):
        T, B = x.shape[:2]
        x = self.block(self.bn(self.conv(x.flatten(0, 1))))
        x = self.lif(x.reshape(T, B, 2, *x.shape[2:]).contiguous())
        x = self.namespace[0](x.flatten(0, 1)).unflatten(0, (T, B))
        x = self.namespace[1](x).flatten(3)
        x = self.bn1(self.conv1(x.flatten(0, 1))).reshape(T, B, 2, -1).mean(3)
        return self.head(x).mean(0)


def test_nets_that_fold_by_hand_keep_working():
    net, x_seq = FoldsByHand(), torch.rand(4, 3, 1, 6, 6)
    expected = copy.deepcopy(net)(x_seq)
    with warnings.catch_warnings(action="error"):
        functional.set_step_mode(net, "m")
        assert torch.equal(net(x_seq), expected)


def test_a_plain_layer_with_a_sequence_says_what_to_change():
    net, x_seq = Net(), torch.rand(4, 3, 1, 6, 6)
    functional.set_step_mode(net, "m")
    text = (
        r"^Conv2d 'conv' is torch's own and takes one step, of 3 or 4 dimensions, got "
        r"\[4, 3, 1, 6, 6\]\. Call convert\.to_layers\(net\), .*net = layer\.MultiStep\(net\)"
    )
    with pytest.raises(ValueError, match=text):
        net(x_seq)
    functional.set_step_mode(net, "s")
    expected = torch.stack([net(x) for x in x_seq])
    functional.reset_net(net)
    torch.testing.assert_close(layer.MultiStep(net)(x_seq), expected)


def test_features_of_a_flattened_sequence_say_what_to_change():
    net = Net()
    net.conv = layer.Conv2d(1, 2, 3)
    functional.set_step_mode(net, "m")
    text = r"^Linear 'fc' takes 32 features, got \[4, 96\]: .*x\.flatten\(2\).*layer\.MultiStep"
    with pytest.raises(ValueError, match=text):
        net(torch.rand(4, 3, 1, 6, 6))
    net.fc = layer.Linear(32, 3, step_mode="m")
    with pytest.raises(
        ValueError, match=r"^Linear 'fc' with .*torch\.flatten\(x, 1\)\), fold the"
    ):
        net(torch.rand(4, 3, 1, 6, 6))


@pytest.mark.parametrize(
    ("plain", "named"),
    [
        ([nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)], r"0 \(Conv2d\), 1 \(BatchNorm2d\)"),
        ([nn.Linear(6, 6), nn.ReLU(), nn.Flatten()], r"2 \(Flatten\)"),
        ([nn.Identity(), nn.BatchNorm1d(3)], r"1 \(BatchNorm1d\)"),
    ],
)
def test_a_chain_that_would_go_wrong_silently_says_what_to_change(plain, named):
    net = nn.Sequential(nn.Sequential(*plain, neuron.IFNode()))
    functional.set_step_mode(net, "m")
    text = rf"^Sequential '0' hands sequences .* one step \[N, \*\]: {named}\. Call convert"
    with pytest.raises(ValueError, match=text):
        net(torch.rand(4, 3, 1, 6, 6))


def test_a_chain_in_a_fold_is_fine():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), neuron.IFNode(), nn.Flatten())
    functional.set_step_mode(net, "m")
    assert layer.MultiStep(net)(torch.rand(4, 3, 1, 6, 6)).shape == (4, 3, 32)


@pytest.mark.parametrize(
    "modules",
    [
        [layer.Linear(6, 6), nn.Linear(6, 6), nn.ReLU(), neuron.IFNode()],
        [nn.Flatten(0, 1), nn.Conv1d(1, 1, 1), nn.Unflatten(0, (4, 3)), neuron.IFNode()],
        [neuron.IFNode(), nn.Flatten(2), nn.LayerNorm(6)],
    ],
)
def test_chains_that_are_right_run(modules):
    net = nn.Sequential(*modules)
    functional.set_step_mode(net, "m")
    assert net(torch.rand(4, 3, 1, 6)).shape[:2] == (4, 3)


def test_watching_ends_with_the_mode_and_is_not_repeated():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(4, 4), neuron.IFNode())
    for _ in range(2):
        functional.set_step_mode(net, "m")
    watched = [net, net[0], net[1]]
    assert [m for m in net.modules() if len(m._forward_pre_hooks) == 1] == watched
    with pytest.raises(ValueError, match="Conv2d"):
        pickle.loads(pickle.dumps(net))(torch.rand(4, 3, 1, 6, 6))
    functional.set_step_mode(net, "s")
    assert not any(m._forward_pre_hooks for m in net.modules())


def test_containers_keep_their_layers_to_themselves():
    net = nn.Sequential(layer.SeqToANNContainer(nn.Conv2d(1, 2, 3)), neuron.IFNode())
    functional.set_step_mode(net, "m")
    assert not net[0][0]._forward_pre_hooks
    assert net(torch.rand(4, 3, 1, 6, 6)).shape == (4, 3, 2, 4, 4)
