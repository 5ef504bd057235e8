"""A residual net of plain torch: steps, sequences, folded, converted and compiled agree."""

import pytest
import torch
from resnet import ResNet
from torch import nn

from spikeframe import convert, functional, layer, neuron, surrogate

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*autograd.*should not be instantiated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]
EXACT = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(autouse=True)
def fresh():
    """Graphs of one test are not those of another."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def lif():
    return neuron.LIFNode(tau=1.5, surrogate_function=surrogate.ATan(), detach_reset=True)


def residual():
    torch.manual_seed(0)
    net = ResNet([1, 1, 1, 1], num_classes=3, in_channels=2, width=2)
    return convert.replace_activations(net, nn.ReLU, lif).double()


def chain():
    torch.manual_seed(0)
    return nn.Sequential(
        layer.Conv2d(2, 4, 3, padding=1),
        layer.BatchNorm2d(4),
        lif(),
        layer.MaxPool2d(2),
        layer.Dropout(0.0),
        layer.Flatten(),
        layer.Linear(4 * 64, 6),
        neuron.ParametricLIFNode(surrogate_function=surrogate.ATan(), v_threshold=0.1),
    ).double()


def images(T=3):
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.randn(T, 2, 2, 16, 16, generator=generator, dtype=torch.float64)


def over_time(net, x_seq):
    """A net in 's', step by step."""
    return torch.stack([net(x) for x in x_seq])


def at_once(net, x_seq):
    return net(x_seq)


NETS = {"residual": residual, "chain": chain}
WAYS = {
    "s": (lambda net: convert.to_layers(net, "s"), over_time),
    "m": (lambda net: convert.to_layers(net, "m"), at_once),
    "folded": (layer.MultiStep, at_once),
    "folded, s": (lambda net: layer.MultiStep(net, step_mode="s"), over_time),
}


def results(net, run, x_seq, training):
    """Outputs of two sequences, and gradients."""
    net.train(training)
    found = []
    for _ in range(2):
        functional.reset_net(net)
        y_seq = run(x_seq)
        found.append(y_seq.detach())
        if training:
            net.zero_grad()
            y_seq.square().sum().backward()
    return found + [p.grad for p in net.parameters()] if training else found


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("way", [way for way in WAYS if way != "m"])
def test_all_ways_agree(kind, way):
    """In eval: batch statistics are those of what a call sees."""
    x_seq = images()
    found = []
    for name in ("m", way):
        wrap, run = WAYS[name]
        net = wrap(NETS[kind]()).eval()
        y_seq = run(net, x_seq)
        (y_seq.square().sum()).backward()
        found.append([y_seq, *[p.grad for p in net.parameters()]])
    assert found[0][0].std() > 0
    for expected, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, **EXACT)


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", NETS)
def test_compiled_without_a_graph_break(kind, way, training):
    wrap, run = WAYS[way]
    net, twin = wrap(NETS[kind]()), wrap(NETS[kind]())
    backend = "aot_eager" if kind == "chain" else "eager"
    compiled = torch.compile(twin, fullgraph=True, backend=backend)
    with torch.set_grad_enabled(training):
        expected = results(net, lambda x_seq: run(net, x_seq), images(), training)
        found = results(twin, lambda x_seq: run(compiled, x_seq), images(), training)
    for ours, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, reference, **EXACT)
