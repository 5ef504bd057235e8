"""Monitors record what passes, by name and in order, and leave nothing behind."""

import gc
import weakref

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron
from spikeframe.monitor import (
    AttributeMonitor,
    GradInputMonitor,
    GradOutputMonitor,
    InputMonitor,
    OutputMonitor,
)

KINDS = [
    OutputMonitor,
    InputMonitor,
    GradInputMonitor,
    GradOutputMonitor,
    lambda net, *rest: AttributeMonitor("v", False, net, *rest),
]
each_kind = pytest.mark.parametrize(
    "kind", KINDS, ids=["out", "in", "grad in", "grad out", "attr"]
)


def net_of():
    torch.manual_seed(0)
    net = nn.Sequential(layer.Linear(6, 5), neuron.LIFNode(), nn.Sequential(neuron.IFNode()))
    functional.set_step_mode(net, "m")
    return net


def inputs():
    return 3 * torch.rand(4, 2, 6)


def hooks(net):
    return [
        (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks))
        for m in net.modules()
    ]


def run(net, times=2):
    """Several calls with their backwards; the last input."""
    for _ in range(times):
        x = inputs()
        functional.reset_net(net)
        net(x).sum().backward()
    return x


NODES = (neuron.LIFNode, neuron.IFNode)


def test_outputs_are_recorded_by_name_and_in_order():
    net, outputs = net_of(), []
    net[1].register_forward_hook(lambda _, x, y: outputs.append(("1", x[0], y)))
    net[2][0].register_forward_hook(lambda _, x, y: outputs.append(("2.0", x[0], y)))
    monitor, given = OutputMonitor(net, NODES), InputMonitor(net, NODES)
    run(net)
    assert monitor.monitored_layers == ["1", "2.0"]
    assert len(monitor) == len(monitor.records) == 4
    for record, x, (_, left, right) in zip(monitor.records, given.records, outputs, strict=True):
        assert torch.equal(record, right)
        assert torch.equal(x, left)
        assert not record.requires_grad
        assert not x.requires_grad
    for name in ("1", "2.0"):
        expected = [y for layer_name, _, y in outputs if layer_name == name]
        assert all(map(torch.equal, monitor[name], expected))
    assert torch.equal(monitor[2], outputs[2][2])


def test_the_attribute_is_that_before_or_after_the_call():
    net = net_of()
    before, after = (AttributeMonitor("v", pre, net, neuron.LIFNode) for pre in (True, False))
    run(net, 1)
    assert before.records == [0.0]
    assert torch.equal(after["1"][0], net[1].v)
    node = neuron.IFNode(step_mode="m", store_v_seq=True)
    with AttributeMonitor("v_seq", False, node) as potentials:
        node(inputs())
    assert potentials[""][0].shape == (4, 2, 6)


def test_gradients_are_those_of_autograd():
    net = net_of()
    grads = GradOutputMonitor(net, neuron.LIFNode)
    input_grads = GradInputMonitor(net, neuron.LIFNode)
    functional.reset_net(net)
    x = net[0](inputs())
    spikes = net[1](x)
    loss = (net[2](spikes) * torch.rand(4, 2, 5)).sum()
    expected = torch.autograd.grad(loss, (x, spikes), retain_graph=True)
    input_grads.clear_recorded_data()
    grads.clear_recorded_data()
    loss.backward()
    torch.testing.assert_close((input_grads["1"][0], grads["1"][0]), expected)


def test_functions_are_applied_to_what_is_recorded():
    net = net_of()
    means = OutputMonitor(net, NODES, lambda spikes: spikes.mean().item())
    shapes = InputMonitor(net, NODES, lambda x: tuple(x.shape))
    run(net, 1)
    assert all(0 <= rate <= 1 for rate in means.records)
    assert shapes.records == [(4, 2, 5)] * 2


def test_modules_of_several_inputs_and_outputs():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y, {"product": x * y}

    net = Two()
    with OutputMonitor(net) as monitor, InputMonitor(net) as given:
        net(torch.ones(2), 2 * torch.ones(2))
    assert given[0][1].tolist() == [2.0, 2.0]
    assert monitor[0][1]["product"].tolist() == [2.0, 2.0]
    assert monitor.monitored_layers == [""]


def test_what_is_changed_later_stays_recorded():
    node = neuron.IFNode()
    with OutputMonitor(node) as monitor, torch.no_grad():
        spikes = node(torch.ones(3))
        spikes += 5
    assert monitor[0].tolist() == [1.0, 1.0, 1.0]


@each_kind
def test_a_monitor_can_pause_and_start_over(kind):
    net = net_of()
    monitor = kind(net, NODES)
    run(net, 1)
    assert len(monitor) == 2
    monitor.disable()
    run(net, 1)
    assert (len(monitor), monitor.is_enable()) == (2, False)
    monitor.enable()
    run(net, 1)
    assert len(monitor) == 4
    monitor.clear_recorded_data()
    assert monitor.records == monitor["1"] == []
    run(net, 1)
    assert len(monitor["2.0"]) == 1


@each_kind
@pytest.mark.parametrize("way", ["close", "remove_hooks", "context", "del"])
def test_a_monitor_that_is_gone_leaves_no_hook(kind, way):
    net = net_of()
    before = hooks(net)
    monitor = kind(net, NODES)
    assert hooks(net) != before
    run(net, 1)
    kept = monitor.records
    if way == "context":
        with monitor:
            run(net, 1)
    elif way == "del":
        del monitor
    else:
        getattr(monitor, way)()
    assert hooks(net) == before
    length = len(kept)
    run(net, 1)
    assert len(kept) == length


@each_kind
def test_a_monitor_keeps_no_graph_and_no_net(kind):
    net = net_of()
    monitor = kind(net, NODES)
    run(net, 1)
    monitor.close()
    reference = weakref.ref(net)
    del net
    gc.collect()
    assert reference() is None
    assert not any(record.requires_grad for record in monitor.records)


def test_what_cannot_be_watched_says_so():
    net = net_of()
    with pytest.raises(ValueError, match="Sequential has no module of class Conv2d or Tanh to"):
        OutputMonitor(net, (nn.Conv2d, nn.Tanh))
    with pytest.raises(TypeError, match="instance must be a class or a tuple .* got 'LIFNode'"):
        OutputMonitor(net, "LIFNode")
    with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
        InputMonitor([net])
    with pytest.raises(ValueError, match=r"'0' of Sequential have no attribute 'v': name a class"):
        AttributeMonitor("v", False, net, nn.Linear)
    monitor = OutputMonitor(net, NODES)
    with pytest.raises(KeyError, match=r"no module '0' is watched; there are \['1', '2\.0'\]"):
        monitor["0"]
