"""torchvision's own residual net, where torchvision imports."""

import importlib

import pytest
import torch
from resnet import resnet18
from torch import nn

from spikeframe import convert, functional, layer, memory, neuron


@pytest.fixture
def models():
    """torchvision.models; a build for another torch raises a RuntimeError on import."""
    try:
        return importlib.import_module("torchvision.models")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision does not import here: {error}")


def test_one_line_each_way(models):
    torch.manual_seed(0)
    net = models.resnet18(num_classes=10).double()
    assert net.state_dict().keys() == resnet18(num_classes=10).state_dict().keys()
    net = convert.replace_activations(net, nn.ReLU, lambda: neuron.LIFNode(tau=1.5)).eval()
    x_seq = torch.rand(2, 1, 3, 32, 32, dtype=torch.float64)
    stepped = torch.stack([net(x) for x in x_seq])
    functional.reset_net(net)
    folded = layer.MultiStep(net)(x_seq)
    functional.reset_net(net)
    converted = convert.fuse(convert.to_layers(net, "m").train())
    assert sum(isinstance(m, memory.NormNeuron) for m in net.modules()) == 9
    convert.unfuse(converted).eval()
    torch.testing.assert_close(folded, stepped)
    torch.testing.assert_close(converted(x_seq), stepped)
