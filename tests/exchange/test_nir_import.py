"""Graphs of NIR run by the equations of their nodes, or are refused by name."""

import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from spikeframe import exchange, neuron

nir = pytest.importorskip("nir")

ONE = np.ones(3, dtype=np.float32)
X_SEQ = 3 * torch.rand(15, 2, 3, generator=torch.Generator().manual_seed(0))


def ends(*shape):
    size = np.array(shape)
    return {"input": nir.Input({"input": size}), "output": nir.Output({"output": size})}


def linear(seed):
    return nir.Linear(np.random.default_rng(seed).normal(size=(3, 3)).astype(np.float32))


def lif(tau=1e-3, r=1.0, threshold=1.0, **rest):
    given = {"tau": tau * ONE, "r": r * ONE, "v_threshold": threshold * ONE}
    return nir.LIF(v_leak=0 * ONE, v_reset=0 * ONE, **given, **rest)


def run(net, x_seq=X_SEQ):
    with torch.no_grad():
        return torch.stack([net(x) for x in x_seq])


def simulated(step, x_seq=X_SEQ):
    """Spikes of ``v = step(x, v)``, set to 0 where it is above 1."""
    v, spikes = torch.zeros(2, 3), []
    for x in x_seq:
        v = step(x, v)
        spikes.append((v > 1).float())
        v = v * (v <= 1)
    assert 0 < torch.stack(spikes).mean() < 1
    return torch.stack(spikes)


@pytest.mark.parametrize("dt", [1e-4, 2e-4])
def test_a_leaky_node_is_eulers_step(dt):
    node = lif(tau=4 * dt, r=np.array([1.0, 3.0, 5.0]), threshold=1.0)
    gain = torch.tensor([1.0, 3.0, 5.0])
    expected = simulated(lambda x, v: v + (gain * x - v) / 4)
    net = exchange.from_nir(nir.NIRGraph.from_list(node), dt=dt)
    assert torch.equal(run(net), expected)


def test_the_length_of_a_step_is_that_of_the_metadata_first():
    node = lif(tau=4.0, metadata={"dt": np.float64(1.0)})
    expected = simulated(lambda x, v: v + (x - v) / 4)
    assert torch.equal(run(exchange.from_nir(nir.NIRGraph.from_list(node), dt=0.5)), expected)


@pytest.mark.parametrize(("r", "gain"), [(1.0, 1.0), (20.0, 0.2)])
def test_a_node_without_leak(r, gain):
    node = nir.IF(r=r * ONE, v_threshold=ONE, v_reset=0 * ONE)
    net = exchange.from_nir(nir.NIRGraph.from_list(node), dt=0.01)
    assert torch.equal(run(net), simulated(lambda x, v: v + gain * x))


def test_a_node_with_synapses():
    node = nir.CubaLIF(
        tau_syn=0.02 * ONE,
        tau_mem=0.05 * ONE,
        r=2 * ONE,
        v_leak=0 * ONE,
        v_threshold=ONE,
        v_reset=0 * ONE,
        w_in=3 * ONE,
    )
    current = torch.zeros(2, 3)

    def step(x, v):
        current.mul_(0.5).add_(3 * 0.5 * x)
        return 0.8 * v + 2 * 0.2 * current

    net = exchange.from_nir(nir.NIRGraph.from_list(node), dt=0.01)
    assert torch.equal(run(net), simulated(step))


def test_resets_are_those_of_the_metadata_in_any_encoding():
    said = {"reset_mechanism": b"subtract", "reset_delay": np.int64(1)}
    (net,) = exchange.from_nir(nir.NIRGraph.from_list(lif(metadata=said))).layers.values()
    assert (net.reset_mechanism, net.reset_delay) == ("subtract", True)
    (net,) = exchange.from_nir(nir.NIRGraph.from_list(lif())).layers.values()
    assert (net.reset_mechanism, net.reset_delay) == ("zero", False)


def test_values_are_one_number_where_they_are_equal():
    made = []

    def make(kind, **given):
        made.append((kind, given))
        return neuron.Leaky(given["beta"])

    exchange.from_nir(nir.NIRGraph.from_list(lif(tau=4e-4)), make=make)
    exchange.from_nir(nir.NIRGraph.from_list(lif(tau=np.array([2e-4, 4e-4, 4e-4]))), make=make)
    (kind, equal), (_, each) = made
    assert kind == "Leaky"
    assert equal["beta"] == pytest.approx(0.75)
    assert (type(equal["beta"]), type(equal["threshold"])) == (float, float)
    assert equal["threshold"] == pytest.approx(4.0)
    assert each["beta"].dtype == torch.get_default_dtype()
    torch.testing.assert_close(each["beta"], torch.tensor([0.5, 0.75, 0.75]))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(7, 5), (7,)),
        (nn.Linear(7, 5, bias=False), (7,)),
        (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), (4, 11)),
        (nn.Conv1d(4, 6, 3, padding="same"), (4, 11)),
        (nn.Conv2d(4, 6, 3, stride=(1, 2), padding=(2, 1), dilation=(1, 2)), (4, 7, 9)),
        (nn.AvgPool2d((2, 3), stride=(1, 2)), (3, 6, 8)),
        (nn.Flatten(2), (3, 4, 5)),
        (nn.Flatten(1, 2), (3, 4, 5)),
    ],
    ids=str,
)
@pytest.mark.parametrize("saved", [False, True])
def test_layers_come_back(layer, shape, saved, tmp_path):
    x = torch.rand(2, *shape)
    graph = exchange.to_nir(layer, x)
    if saved:
        nir.write(tmp_path / "net.nir", graph)
        graph = tmp_path / "net.nir"
    torch.testing.assert_close(exchange.from_nir(graph)(x), layer(x))


def test_groups_and_oblong_kernels_of_others_are_read():
    layer, x = nn.Conv2d(4, 6, (3, 2), groups=2), torch.rand(2, 4, 7, 9)
    weight, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))
    node = nir.Conv2d((7, 9), weight, 1, 0, 1, 2, bias)
    edges = [("input", "conv"), ("conv", "output")]
    graph = nir.NIRGraph({"conv": node} | ends(4, 7, 9), edges, type_check=False)
    torch.testing.assert_close(exchange.from_nir(graph)(x), layer(x))


def test_nodes_run_after_what_leads_to_them_and_add_it_up():
    maps = {name: linear(seed) for seed, name in enumerate(("last", "first", "second"))}
    edges = [
        *(("input", "first"), ("first", "second"), ("input", "second")),
        *(("second", "last"), ("first", "last"), ("last", "output"), ("input", "output")),
    ]
    net = exchange.from_nir(nir.NIRGraph(maps | ends(3), edges))
    x = X_SEQ[0]
    last, first, second = (torch.as_tensor(m.weight).T for m in maps.values())
    a = x @ first
    b = (a + x) @ second
    torch.testing.assert_close(net(x), (b + a) @ last + x)
    assert list(net.layers) == ["node_first", "node_second", "node_last"]


def test_a_sequence_runs_where_the_neurons_take_one():
    net = exchange.from_nir(nir.NIRGraph.from_list(linear(0), lif(tau=4e-4)))
    expected = run(net)
    for module in net.modules():
        if isinstance(module, neuron.Leaky):
            module.reset()
            module.step_mode = "m"
    assert torch.equal(net(X_SEQ), expected)


def test_names_that_torch_does_not_take_stay_apart():
    maps = {"a.b": linear(1), "a_b": linear(2), "forward": linear(3)}
    chain = ["input", *maps, "output"]
    net = exchange.from_nir(nir.NIRGraph(maps | ends(3), list(pairwise(chain))))
    expected = X_SEQ[0]
    for node in maps.values():
        expected = expected @ torch.as_tensor(node.weight).T
    torch.testing.assert_close(net(X_SEQ[0]), expected)


def loop(feedback, *more):
    nodes = {"lif": lif(tau=4e-4), "back": feedback, **ends(3)}
    edges = [("input", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output"), *more]
    return nir.NIRGraph(nodes, edges)


def test_a_loop_of_two_nodes_is_a_recurrent_neuron():
    net = exchange.from_nir(loop(linear(0)))
    (node,) = net.layers.values()
    assert isinstance(node, neuron.RLeaky)
    assert node.recurrent.weight.tolist() == linear(0).weight.tolist()
    v, spikes, found = torch.zeros(2, 3), torch.zeros(2, 3), []
    for x in X_SEQ:
        v = 0.75 * v + (x + spikes @ torch.as_tensor(linear(0).weight).T) / 4
        spikes = (v > 1).float()
        v = v * (v <= 1)
        found.append(spikes)
    assert torch.stack(found).sum() > 0
    assert torch.equal(run(net) > 0, torch.stack(found) > 0)


def test_a_convolution_in_a_loop_comes_back():
    lif = neuron.RLeaky(
        0.5, conv2d_channels=2, kernel_size=3, reset_mechanism="zero", reset_delay=False
    )
    x_seq = torch.randn(6, 1, 2, 4, 4)
    net = exchange.from_nir(exchange.to_nir(lif, x_seq[0]))
    assert torch.equal(run(net, x_seq), run(lif, x_seq))


BAD = {
    "the node lif has v_leak other than 0": lambda: nir.NIRGraph.from_list(
        nir.LIF(ONE, ONE, ONE, ONE, v_reset=0 * ONE)
    ),
    "the node lif has v_reset other than 0": lambda: nir.NIRGraph.from_list(
        nir.LIF(ONE, ONE, 0 * ONE, ONE, v_reset=ONE)
    ),
    "no layer for the node threshold (Threshold)": lambda: nir.NIRGraph.from_list(
        nir.Threshold(ONE)
    ),
    "one neuron, one map of its spikes; lif has input, lif, w_rec, output": lambda: loop(lif()),
    "the feedback of lif alone, and there are the edges back > output": lambda: loop(
        linear(0), ("back", "output")
    ),
    "the feedback of lif alone, and there are the edges input > back": lambda: loop(
        linear(0), ("input", "back")
    ),
    "a cycle through a, b, which is no neuron's own": lambda: nir.NIRGraph(
        {"a": linear(0), "b": linear(1), **ends(3)},
        [("input", "a"), ("a", "b"), ("b", "a"), ("b", "output")],
    ),
    "a graph of one Input, got input, also": lambda: nir.NIRGraph(
        {"a": linear(0), **ends(3), "also": ends(3)["input"]},
        [("input", "a"), ("also", "a"), ("a", "output")],
    ),
    "a graph of one Output, got output, also": lambda: nir.NIRGraph(
        {"a": linear(0), **ends(3), "also": ends(3)["output"]},
        [("input", "a"), ("a", "output"), ("a", "also")],
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_run_here_is_named(message):
    graph = BAD[message]()
    with pytest.raises(ValueError, match=re.escape(message)):
        exchange.from_nir(graph)
