"""Nets go to NIR and come back with the same spikes."""

import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe import exchange, functional, neuron
from spikeframe.compat.snntorch.export_nir import export_to_nir
from spikeframe.compat.snntorch.import_nir import import_from_nir

nir = pytest.importorskip("nir")

HIDDEN = {"init_hidden": True}


def dense(lif, out=4):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, out), lif, nn.Linear(out, 3), snn.Leaky(0.8, threshold=0.1, **HIDDEN)
    )


NETS = {
    "leaky": lambda **o: dense(snn.Leaky(0.9, threshold=0.3, **HIDDEN, **o)),
    "leaky per neuron": lambda **o: dense(
        snn.Leaky(torch.linspace(0.5, 0.9, 4), threshold=0.3, **HIDDEN, **o)
    ),
    "integrate and fire": lambda **o: dense(snn.Leaky(1.0, **HIDDEN, **o)),
    "synaptic": lambda **o: dense(snn.Synaptic(0.7, 0.8, **HIDDEN, **o)),
    "recurrent": lambda **o: dense(snn.RLeaky(0.7, linear_features=4, **HIDDEN, **o)),
    "one to one": lambda **o: dense(
        snn.RSynaptic(0.6, 0.7, torch.rand(4), all_to_all=False, **HIDDEN, **o)
    ),
}


def conv_net(**options):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        snn.Leaky(0.9, threshold=0.4, **HIDDEN, **options),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 3, 3, stride=2, groups=1),
        snn.Synaptic(0.5, 0.8, threshold=0.2, **HIDDEN, **options),
        nn.Flatten(),
        nn.Linear(12, 5),
        snn.Leaky(0.9, threshold=0.1, **HIDDEN, **options),
    )


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.lif = snn.Leaky(0.9, threshold=0.2)
        self.out = snn.Leaky(0.5, threshold=0.2)

    def forward(self, x):
        spk, _ = self.lif(self.first(x))
        return self.out(self.second(spk) + spk)


def same_spikes(net, other, x_seq):
    functional.reset_net(net)
    with torch.no_grad():
        outputs = [net(x) for x in x_seq]
        spikes = torch.stack([o[0] if isinstance(o, tuple) else o for o in outputs])
        state, found = None, []
        for x in x_seq:
            out, state = other(x, state)
            found.append(out)
    assert spikes.sum() > 0
    torch.testing.assert_close(torch.stack(found), spikes)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("name", NETS)
@pytest.mark.filterwarnings("ignore:.*which NIR says in its metadata:UserWarning")
def test_a_net_comes_back(name, reset, delay, tmp_path):
    net = NETS[name](reset_mechanism=reset, reset_delay=delay)
    x_seq = torch.randn(20, 2, 6) * 2
    graph = export_to_nir(net, x_seq[0])
    same_spikes(net, import_from_nir(graph), x_seq)
    nir.write(tmp_path / "net.nir", graph)
    same_spikes(net, import_from_nir(nir.read(tmp_path / "net.nir")), x_seq)


@pytest.mark.filterwarnings("ignore:.*which NIR says in its metadata:UserWarning")
def test_convolutions_and_pooling_come_back():
    net, x_seq = conv_net(), torch.rand(10, 2, 2, 12, 12)
    graph = export_to_nir(net, x_seq[0])
    same_spikes(net, import_from_nir(graph), x_seq)


@pytest.mark.filterwarnings("ignore:.*which NIR says in its metadata:UserWarning")
def test_a_net_with_a_way_around_and_explicit_outputs():
    torch.manual_seed(0)
    net, x_seq = Residual(), torch.randn(10, 3, 4)
    same_spikes(net, import_from_nir(export_to_nir(net, x_seq[0])), x_seq)


@pytest.mark.filterwarnings("ignore:.*which NIR says in its metadata:UserWarning")
def test_native_neurons_and_a_flat_loop():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), neuron.Leaky(0.8, threshold=0.2))
    x_seq = torch.randn(10, 3, 4)
    back = exchange.from_nir(exchange.to_nir(net, x_seq[0]))
    assert isinstance(back.layers["node_1"], neuron.Leaky)
    assert all(torch.equal(back(x), net(x)) for x in x_seq)
    inner = exchange.to_nir(neuron.RLeaky(0.8, linear_features=4), x_seq[0]).nodes["0"]
    looped = exchange.from_nir(inner)
    assert isinstance(next(iter(looped.layers.values())), neuron.RLeaky)
