"""Each layer and neuron is written with the numbers that its equations read."""

import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from spikeframe import exchange, neuron

nir = pytest.importorskip("nir")

RESET = {"reset_mechanism": "zero", "reset_delay": False}


def node_of(module, *shape, **options):
    """The node of a module for inputs of a shape."""
    return exchange.to_nir(module, torch.rand(2, *shape), **options).nodes["0"]


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(torch.float64, "float64"), (torch.float32, "float32"), (torch.bfloat16, "float32")],
)
def test_linear_maps_keep_their_precision(dtype, kept):
    layer = nn.Linear(5, 3).to(dtype)
    node = exchange.to_nir(layer, torch.rand(2, 5, dtype=dtype)).nodes["0"]
    assert type(node) is nir.Affine
    assert (node.weight.dtype, node.bias.dtype) == (kept, kept)
    assert np.array_equal(node.weight, layer.weight.detach().double().numpy())
    assert np.array_equal(node.bias, layer.bias.detach().double().numpy())
    assert type(node_of(nn.Linear(5, 3, bias=False), 5)) is nir.Linear


def test_convolutions():
    one = node_of(nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), 4, 11)
    assert type(one) is nir.Conv1d
    assert (one.input_shape, one.stride, one.padding, one.dilation, one.groups) == (11, 2, 1, 2, 1)
    assert node_of(nn.Conv1d(4, 6, 3, padding="same"), 4, 11).padding == "same"
    layer = nn.Conv2d(2, 3, 3, stride=(1, 2), padding=(2, 1), dilation=(1, 2), bias=False)
    two = node_of(layer, 2, 7, 9)
    assert type(two) is nir.Conv2d
    assert tuple(two.input_shape) == (7, 9)
    assert (two.stride, two.padding, two.dilation) == ((1, 2), (2, 1), (1, 2))
    assert np.array_equal(two.weight, layer.weight.detach().numpy())
    assert two.bias.tolist() == [0, 0, 0]


def test_pooling_and_flattening():
    pool = node_of(nn.AvgPool2d(2), 3, 6, 8)
    assert (pool.kernel_size.tolist(), pool.stride.tolist()) == ([2, 2], [2, 2])
    assert pool.padding.tolist() == [0, 0]
    pool = node_of(nn.AvgPool2d((2, 3), stride=1), 3, 6, 8)
    assert (pool.kernel_size.tolist(), pool.stride.tolist()) == ([2, 3], [1, 1])
    flat = node_of(nn.Flatten(2, -1), 3, 6, 8)
    assert flat.input_type["input"].tolist() == [3, 6, 8]
    assert (flat.start_dim, flat.end_dim) == (1, -1)


def test_a_leaky_neuron_has_one_time_constant_for_each_of_its_places():
    beta = torch.tensor([0.5, 0.75]).view(2, 1)
    node = node_of(neuron.Leaky(beta, threshold=0.3, **RESET), 2, 3, dt=0.5)
    assert type(node) is nir.LIF
    assert node.tau.tolist() == [[1.0] * 3, [2.0] * 3]  # dt / (1 - beta)
    assert node.r.tolist() == [[2.0] * 3, [4.0] * 3]
    assert node.v_threshold == pytest.approx(np.full((2, 3), 0.3))
    assert not node.v_leak.any()
    assert not node.v_reset.any()
    assert node.metadata == {"reset_mechanism": "zero", "reset_delay": 0, "dt": 0.5}
    assert node_of(neuron.Leaky(0.5, **RESET), 3).metadata["dt"] == 1e-4
    whole = node_of(neuron.Leaky(1.0, **RESET), 3, dt=0.25)
    assert type(whole) is nir.IF
    assert whole.r.tolist() == [4.0] * 3


def test_a_synaptic_neuron():
    node = node_of(neuron.Synaptic(0.5, 0.75, threshold=2.0, **RESET), 3, dt=0.5)
    assert type(node) is nir.CubaLIF
    assert (node.tau_syn.tolist(), node.w_in.tolist()) == ([1.0] * 3, [2.0] * 3)
    assert (node.tau_mem.tolist(), node.r.tolist()) == ([2.0] * 3, [4.0] * 3)
    assert node.v_threshold.tolist() == [2.0] * 3


def test_a_recurrent_neuron_is_a_graph():
    V = torch.tensor([0.5, -1.0, 2.0])
    one_to_one = neuron.RSynaptic(0.5, 0.75, V, all_to_all=False, **RESET)
    graph = node_of(one_to_one, 3)
    assert type(graph.nodes["lif"]) is nir.CubaLIF
    assert graph.nodes["w_rec"].weight.tolist() == V.diag().tolist()
    assert set(graph.edges) == {
        ("input", "lif"),
        ("lif", "w_rec"),
        ("w_rec", "lif"),
        ("lif", "output"),
    }
    lif = neuron.RLeaky(0.5, linear_features=3, **RESET)
    graph = node_of(lif, 3)
    assert type(graph.nodes["lif"]) is nir.LIF
    assert np.array_equal(graph.nodes["w_rec"].weight, lif.recurrent.weight.detach().numpy())
    with pytest.raises(
        ValueError, match=r"0: NIR takes .* one to one of neurons \[C\], got \(3, 2\)"
    ):
        node_of(neuron.RLeaky(0.5, 1.0, all_to_all=False, **RESET), 3, 2)


@pytest.mark.parametrize(
    ("reset", "text"),
    [
        ({"reset_mechanism": "subtract"}, "0 is reset by 'subtract' in the next step, which"),
        ({"reset_mechanism": "none", "reset_delay": False}, "0 is reset by 'none', which NIR"),
        ({"reset_mechanism": "zero"}, "0 is reset by 'zero' in the next step, which NIR says"),
    ],
)
def test_a_reset_that_nir_cannot_say_is_told(reset, text):
    with pytest.warns(UserWarning, match=text):
        node = node_of(neuron.Leaky(0.9, **reset), 3)
    assert node.metadata["reset_mechanism"] == reset["reset_mechanism"]
    assert node.metadata["reset_delay"] == int(reset.get("reset_delay", True))


def test_a_reset_that_nir_can_say_is_not_told():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        node_of(neuron.Leaky(0.9, **RESET), 3)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.MaxPool2d(2), r"NIR has no node for 0 \(MaxPool2d\): it takes Linear, Conv1d"),
        (neuron.Leaky(0.9, inhibition=True), "NIR cannot say inhibition, which 0 has"),
        (neuron.Leaky(0.9, graded_spikes_factor=2.0), "NIR cannot say graded spikes"),
        (neuron.Leaky(0.9, state_quant=torch.round), "NIR cannot say state_quant, which 0 has"),
        (neuron.Alpha(0.9, 0.8), r"NIR has no node for 0 \(Alpha\)"),
        (neuron.Synaptic(0.9, 0.8, inhibition=True), "NIR cannot say inhibition, which 0 has"),
        (neuron.Synaptic(0.9, 1.0), "0: NIR takes a beta of less than 1"),
        (neuron.Synaptic(1.0, 0.9), "0: NIR takes a alpha of less than 1"),
        (neuron.Leaky(torch.tensor([0.5, 1.0, 1.0, 1.0])), "0: NIR takes a beta of less than 1"),
        (nn.AvgPool2d(2, ceil_mode=True), "0: NIR averages without padding"),
        (nn.AvgPool2d(2, divisor_override=3), "0: NIR averages without padding"),
        (nn.AvgPool2d(2, padding=(0, 1)), "0: NIR averages without padding"),
        (nn.Conv2d(1, 2, (3, 2)), r"nir takes .* got groups=1 and kernel_size=\(3, 2\)"),
        (nn.Conv1d(4, 4, 3, groups=2), r"got groups=2 and kernel_size=\(3,\)"),
        (nn.Conv2d(1, 1, 1, padding_mode="reflect"), "0: NIR pads with zeros, got .*'reflect'"),
    ],
)
def test_what_nir_cannot_say_is_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        node_of(layer, *((4, 4) if isinstance(layer, nn.Conv1d) else (1, 4, 4)))


@pytest.mark.parametrize("dt", [0, -1e-4, float("inf")])
def test_a_step_has_a_length(dt):
    with pytest.raises(ValueError, match=r"dt must be finite and greater than 0 \(seconds\), got"):
        node_of(nn.Linear(3, 3), 3, dt=dt)
    with pytest.raises(ValueError, match="dt must be finite"):
        exchange.from_nir(nir.NIRGraph({}, []), dt=dt)


def test_without_the_package_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ImportError, match=r"NIR needs the package nir.*pip install .*nir\]"):
        exchange.to_nir(nn.Linear(3, 3), torch.rand(1, 3))
