import gc
import math
import weakref

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron
from spikeframe.monitor import FiringRates, LayerRates, recorded_spikes, spiking_nodes


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(
        layer.Linear(6, 5),
        neuron.LIFNode(),
        layer.Dropout(0.5),
        layer.Linear(5, 4),
        neuron.IFNode(),
        layer.Linear(4, 3),
        neuron.IFNode(v_threshold=math.inf),
    )


def test_rates_are_those_of_the_spikes(net):
    functional.set_step_mode(net, "m")
    outputs = {"1": [], "4": []}
    for name in outputs:
        net[int(name)].register_forward_hook(lambda _, __, out, n=name: outputs[n].append(out))
    with FiringRates(net) as rates:
        for size in (3, 8, 1):
            functional.reset_net(net)
            net(3 * torch.randn(4, size, 6))
    first, second = rates.layers()
    assert [first.name, second.name] == ["1", "4"]
    for watched in (first, second):
        spikes = torch.cat([out.flatten(0, 1) for out in outputs[watched.name]])
        assert watched.steps == 4 * 12 == len(spikes)
        torch.testing.assert_close(watched.rates, spikes.double().mean(0))
        assert watched.mean == pytest.approx(spikes.double().mean().item())
    assert (first.neurons, second.neurons) == (5, 4)
    assert 0 < first.mean < 1


def test_rates_of_steps_are_those_of_sequences(net):
    net.eval()
    x_seq = 3 * torch.randn(5, 7, 6)
    with FiringRates(net) as by_step:
        for x in x_seq:
            net(x)
    functional.reset_net(net)
    functional.set_step_mode(net, "m")
    with FiringRates(net) as by_sequence:
        net(x_seq)
    for left, right in zip(by_step.layers(), by_sequence.layers(), strict=True):
        assert left.steps == right.steps == 35
        assert torch.equal(left.rates, right.rates)


def test_rates_keep_no_tensor_of_the_run(net):
    functional.set_step_mode(net, "m")
    seen = []
    net[1].register_forward_hook(lambda _, __, out: seen.append(weakref.ref(out)))
    with FiringRates(net) as rates:
        net(torch.randn(4, 3, 6)).sum().backward()
        functional.reset_net(net)
        gc.collect()
        assert seen[0]() is None
        assert not rates.layers()[0].rates.requires_grad


def test_rates_stop_at_the_end_of_the_block(net):
    with FiringRates(net) as rates:
        net(torch.randn(3, 6))
    net(torch.randn(3, 6))
    assert rates.layers()[0].steps == 3
    assert not any(module._forward_hooks for module in net.modules())


def test_clear_starts_over(net):
    rates = FiringRates(net)
    net(torch.randn(3, 6))
    rates.clear()
    assert rates.layers() == []
    functional.reset_net(net)
    net(torch.randn(2, 6))
    assert rates.layers()[0].steps == 2


def test_rates_of_half_precision_are_exact():
    node = neuron.IFNode(step_mode="m")
    with FiringRates(node) as rates:
        node(torch.ones(4096, 2, 1, dtype=torch.bfloat16))
        functional.reset_net(node)
        node(torch.zeros(1, 1, 1, dtype=torch.bfloat16))
    assert rates.layers()[0].rates.item() == 8192 / 8193


def test_dead_and_saturated_are_counted_at_one_in_a_thousand():
    rates = torch.tensor([0.0, 0.0009, 0.0011, 0.5, 0.9989, 0.9991, 1.0]).double()
    watched = LayerRates("x", rates, 10_000)
    assert (watched.dead, watched.saturated, watched.neurons) == (2, 2, 7)


def test_rates_spread_over_bins():
    rates = torch.tensor([0.0, 0.04, 0.5, 0.55, 1.0]).double()
    watched = LayerRates("x", rates, 10_000)
    assert watched.histogram().tolist() == [2, 0, 0, 0, 0, 2, 0, 0, 0, 1]
    assert watched.histogram(2).tolist() == [2, 3]
    assert (watched.dead_fraction, watched.saturated_fraction) == (0.2, 0.2)


def test_another_number_of_neurons_is_refused():
    node = neuron.IFNode()
    with FiringRates(node) as rates:
        node(torch.ones(2, 3))
        functional.reset_net(node)
        with pytest.raises(ValueError, match=r"IFNode had neurons \[3\] and now has \[4\]: call"):
            node(torch.ones(2, 4))
        rates.clear()
        functional.reset_net(node)
        node(torch.ones(2, 4))


def test_net_without_neurons_is_refused():
    with pytest.raises(ValueError, match="Sequential has no node that can fire"):
        FiringRates(nn.Sequential(nn.ReLU(), neuron.IFNode(v_threshold=math.inf)))


def test_readouts_and_dropouts_are_no_neurons(net):
    assert list(spiking_nodes(net)) == ["1", "4"]
    assert list(spiking_nodes(neuron.LIFNode())) == ["LIFNode"]
    per_channel = torch.tensor([1.0, math.inf])
    assert spiking_nodes(neuron.IFNode(v_threshold=per_channel))
    assert not spiking_nodes(neuron.IFNode(v_threshold=torch.full((2,), math.inf)))


def test_recorded_spikes_are_what_the_nodes_gave(net):
    functional.set_step_mode(net, "m")
    outputs = []
    handle = net[4].register_forward_hook(lambda _, __, out: outputs.append(out))
    with recorded_spikes(net) as spikes:
        for _ in range(2):
            net(3 * torch.randn(4, 3, 6))
            functional.reset_net(net)
    handle.remove()
    assert list(spikes) == ["1", "4"]
    for kept, given in zip(spikes["4"], outputs, strict=True):
        assert torch.equal(kept, given)
        assert not kept.requires_grad
    assert not any(module._forward_hooks for module in net.modules())


def test_recording_ends_after_an_error(net):
    with pytest.raises(ValueError, match="shapes? "), recorded_spikes(net):
        raise ValueError("shape ")
    assert not any(module._forward_hooks for module in net.modules())
