"""snnTorch's way to NIR is ours, with its arguments."""

import numpy as np
import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe import exchange
from spikeframe.compat.snntorch.export_nir import export_to_nir

pytest.importorskip("nir")

X = torch.rand(2, 4)


def net():
    lif = snn.Leaky(0.5, reset_mechanism="zero", reset_delay=False, init_hidden=True)
    return nn.Sequential(nn.Linear(4, 3), lif)


def test_the_graph_is_that_of_to_nir():
    model = net()
    graph = export_to_nir(model, X, model_name="mine", ignore_dims=[0])
    expected = exchange.to_nir(model, X)
    assert sorted(graph.edges) == sorted(expected.edges)
    assert graph.nodes.keys() == expected.nodes.keys()
    assert np.array_equal(graph.nodes["0"].weight, expected.nodes["0"].weight)
    assert np.array_equal(graph.nodes["1"].tau, expected.nodes["1"].tau)
    assert graph.nodes["input"].input_type["input"].tolist() == [4]


def test_a_forward_of_more_than_the_input_is_refused():
    with pytest.raises(ValueError, match=r"model_fwd_args must be empty, .* got \[None, 3\]"):
        export_to_nir(net(), X, model_fwd_args=(None, 3))
