"""Nets are followed from node to node; what NIR has no words for is named."""

import pytest
import torch
from torch import nn

from spikeframe import exchange, layer, neuron

pytest.importorskip("nir")

RESET = {"reset_mechanism": "zero", "reset_delay": False}
X = torch.rand(2, 4, generator=torch.Generator().manual_seed(0))


class Two(nn.Module):
    """Two maps and a neuron, called as ``step`` says."""

    def __init__(self, step):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.lif = neuron.Leaky(0.5, **RESET)
        self.step = step

    def forward(self, x):
        return self.step(self, x)


def edges(step, x=X):
    return sorted(exchange.to_nir(Two(step), x).edges)


def iadd(net, x):
    y = net.a(x)
    y += net.b(x)
    return y


@pytest.mark.parametrize(
    "step",
    [
        lambda net, x: net.a(x) + net.b(x),
        lambda net, x: torch.add(net.a(x), net.b(x)),
        iadd,
        lambda net, x: [net.a(x) + net.b(x), 3],
        lambda net, x: net.a(input=x) + net.b(x),
    ],
)
def test_additions_are_edges_to_one_node(step):
    assert edges(step) == [("a", "output"), ("b", "output"), ("input", "a"), ("input", "b")]


def test_sums_of_sums():
    found = edges(lambda net, x: net.lif((net.a(x) + net.b(x)) + x))
    assert found[:2] == [("a", "lif"), ("b", "lif")]
    assert ("input", "lif") in found


def test_one_layer_is_a_graph_of_three_nodes():
    graph = exchange.to_nir(nn.Linear(4, 3), X)
    assert sorted(graph.edges) == [("0", "output"), ("input", "0")]
    assert graph.nodes["input"].input_type["input"].tolist() == [4]
    assert graph.nodes["output"].output_type["output"].tolist() == [3]


@pytest.mark.parametrize(
    "skipped",
    [nn.Identity, nn.Dropout, nn.AlphaDropout, nn.FeatureAlphaDropout, layer.Dropout],
)
def test_what_an_evaluation_does_not_do_is_left_out(skipped):
    net = nn.Sequential(nn.Linear(4, 3), skipped(), nn.Linear(3, 3))
    graph = exchange.to_nir(net, X)
    assert sorted(graph.edges) == [("0", "2"), ("2", "output"), ("input", "0")]


@pytest.mark.parametrize("skipped", [nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, layer.Dropout2d])
def test_dropout_of_channels_is_left_out(skipped):
    shape = (1, 2, 3, 3, 3)[: 2 + int(skipped.__name__[7])]
    net = nn.Sequential(skipped(), nn.Flatten())
    assert ("input", "1") in exchange.to_nir(net, torch.rand(shape)).edges


def test_parts_are_named_by_their_path_and_may_be_called_as_the_ends():
    class Ends(nn.Module):
        def __init__(self):
            super().__init__()
            self.input = nn.Sequential(nn.Linear(4, 3))
            self.output = nn.Linear(3, 2)

        def forward(self, x):
            return self.output(self.input(x))

    net = Ends()
    graph = exchange.to_nir(net, X)
    assert {"input", "input_0", "output"} < set(graph.nodes)
    back = exchange.from_nir(graph)
    assert torch.equal(back(X), net(X))


def test_a_map_may_be_called_twice():
    graph = exchange.to_nir(Two(lambda net, x: net.a(net.a(x))), X)
    assert len(graph.nodes) == 4


def test_the_net_is_left_as_it_is():
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), neuron.Leaky(0.5, **RESET))
    state = net(X) is not None and net[2].mem
    exchange.to_nir(net, X[:1])
    assert net[2].mem is state
    assert net.training
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda net, x: torch.add(net.a(x), net.b(x), alpha=2), "NIR has no node for .*add"),
        (lambda net, x: net.a(x) + 1, "no node for .*add.*: use layers, and additions of diff"),
        (lambda net, x: x + x, "additions of different ones"),
        (lambda net, x: net.a(x.view(x.size(0), -1)), "NIR has no node for size, which size is"),
        (lambda net, x: {"y": net.a(x)}, "the net must return its spikes, .* got immutable_dict"),
        (lambda net, x: 3, "the net must return its spikes, .* got int"),
        (lambda net, x: (), "the net must return its spikes, .* got tuple"),
        (lambda net, x: net.lif(net.b(net.lif(x))), "lif is called more than once: give each"),
    ],
)
def test_what_nir_cannot_say_is_refused(step, message):
    with pytest.raises(ValueError, match=message):
        edges(step)


@pytest.mark.parametrize(
    "step",
    [
        lambda net, x: net.a(net.lif(x)[1]),
        lambda net, x: net.lif(x)[1],
        lambda net, x: net.a(x) + net.lif(x)[1],
    ],
)
def test_a_state_is_no_output(step):
    class Shows(neuron.Leaky):
        """Returns its state, too."""

        def forward(self, x):
            return super().forward(x), self.mem

    net = Two(step)
    net.lif = Shows(0.5, **RESET)
    with pytest.raises(ValueError, match="from node to node, and the net uses a neuron's state"):
        exchange.to_nir(net, X)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
        exchange.to_nir([nn.Linear(4, 4)], X)
    with pytest.raises(TypeError, match=r"one step of input \[N, \*\], got list"):
        exchange.to_nir(nn.Linear(4, 4), [1.0])
    with pytest.raises(TypeError, match="dt must be a number"):
        exchange.to_nir(nn.Linear(4, 4), X, dt="1e-4")
