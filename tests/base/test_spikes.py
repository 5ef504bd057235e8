"""A mark says zeros and ones, of a tensor and its views, until it is changed."""

import copy

import pytest
import torch
from cases import NEURONS, SURROGATES, sequence
from torch import nn

from spikeframe import functional, layer, neuron, surrogate
from spikeframe.base.spikes import are_spikes, mark_spikes


def test_a_mark_holds_of_views_and_ends_with_a_change():
    x = torch.ones(4, 6)
    assert not are_spikes(x)
    assert mark_spikes(x) is x
    assert all(map(are_spikes, (x, x.view(2, 12), x.flatten(0, 1), x.unsqueeze(0), x[1:].T)))
    assert not any(map(are_spikes, (x + 0, x.clone(), x.double())))
    x.view(-1)[0] += 1
    assert not any(map(are_spikes, (x, x.view(2, 12))))


def test_a_marked_view_marks_the_tensor_it_shows_whole():
    x = torch.ones(4, 6)
    mark_spikes(x.view(2, 12))
    assert are_spikes(x.view(24))
    y = torch.ones(4, 6)
    part = mark_spikes(y[:2])
    assert are_spikes(part)
    assert not are_spikes(y)


@torch.inference_mode()
def test_a_tensor_of_inference_is_never_marked():
    x = torch.ones(4, 6)
    assert not are_spikes(mark_spikes(x))
    net = nn.Sequential(neuron.IFNode(step_mode="m"), layer.MaxPool1d(2, step_mode="m"))
    assert torch.equal(net(torch.full((3, 1, 2, 4), 2.0)), torch.ones(3, 1, 2, 2))


@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_what_is_marked_is_zeros_and_ones(case, step_mode):
    x_seq = sequence((3, 5))
    x_seq[1, 0, 0], x_seq[2, 1] = torch.nan, torch.inf
    for spike in (surrogate.ATan(), surrogate.Sigmoid(strict=True)):
        node = case(surrogate_function=spike, step_mode=step_mode)
        y = node(x_seq if step_mode == "m" else x_seq[0])
        assert are_spikes(y)
        assert set(y.unique().tolist()) <= {0.0, 1.0}


def changed(step_mode="s", **methods):
    return type("Changed", (neuron.IFNode,), methods)(step_mode=step_mode)


@pytest.mark.parametrize(
    "node",
    [
        neuron.IFNode(surrogate_function=surrogate.ATan(spiking=False)),
        neuron.IFNode(surrogate_function=torch.sigmoid),
        neuron.IFNode(surrogate_function=surrogate.MultiLevelSpikeCount(4)),
        changed(neuronal_fire=lambda self: self.v),
        changed(
            single_step_forward=lambda self, x: 2 * neuron.IFNode.single_step_forward(self, x)
        ),
        changed(
            multi_step_forward=lambda self, x: 2 * neuron.IFNode.multi_step_forward(self, x),
            step_mode="m",
        ),
        changed(eager_step=lambda self, x: 2 * neuron.IFNode.eager_step(self, x)),
    ],
    ids=["primitive", "callable", "counts", "fire", "step", "sequence", "eager step"],
)
def test_what_may_be_something_else_is_not_marked(node):
    assert not node.fires_binary
    assert not are_spikes(node(torch.rand(3, 4)))


def test_a_changed_output_is_not_marked():
    class Twice(neuron.IFNode):
        """Its spikes are 2."""

        def forward(self, x):
            return 2 * super().forward(x)

    assert not are_spikes(Twice()(torch.ones(3)))
    node = neuron.IFNode()
    node.neuronal_fire = lambda: node.v * 3
    assert not node.fires_binary
    assert copy.deepcopy(neuron.IFNode()).fires_binary


def test_pools_of_spikes_are_spikes():
    net = nn.Sequential(neuron.IFNode(), layer.MaxPool2d(2), layer.AdaptiveMaxPool2d(1))
    net.append(layer.AvgPool2d(1))
    outputs = []
    for module in net:
        module.register_forward_hook(lambda _, __, y: outputs.append(y))
    for step_mode, lead in (("m", (4, 2)), ("s", (2,))):
        functional.set_step_mode(net, step_mode)
        functional.reset_net(net)
        net(torch.rand(*lead, 3, 4, 4))
        assert [are_spikes(y.flatten(0, 1)) for y in outputs] == [True, True, True, False]
        outputs.clear()


@pytest.mark.parametrize("case", SURROGATES, ids=str)
def test_binary_surrogates_are_those_of_the_step(case):
    spike = case.make()
    assert spike.binary == case.step
    spike.set_spiking_mode(False)
    assert not spike.binary
