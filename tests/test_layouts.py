"""Channels-last images stay so from end to end, and 16-bit training keeps its states."""

import pytest
import torch
from resnet import resnet18
from torch import nn

from spikeframe import base, convert, functional, layer, neuron, surrogate


def net_of():
    torch.manual_seed(0)

    def lif():
        return neuron.LIFNode(tau=1.5, surrogate_function=surrogate.ATan())

    net = resnet18(num_classes=3, in_channels=2, width=4)
    return convert.replace_activations(net, nn.ReLU, lif)


def images():
    generator = torch.Generator().manual_seed(1)
    return 3 * torch.randn(3, 2, 2, 32, 32, generator=generator)


def channels_last(x_seq):
    folded = x_seq.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    return folded.unflatten(0, x_seq.shape[:2])


WAYS = {"folded": layer.MultiStep, "converted": lambda net: convert.to_layers(net, "m")}


@pytest.mark.parametrize("way", WAYS)
def test_channels_last_from_end_to_end(way):
    expected = WAYS[way](net_of())(images())
    net = WAYS[way](net_of().to(memory_format=torch.channels_last))
    seen = []

    def see(module, inputs, output):
        both = (inputs[0].flatten(0, -4), output.flatten(0, -4))
        seen.append([x.is_contiguous(memory_format=torch.channels_last) for x in both])

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d | neuron.LIFNode):
            module.register_forward_hook(see)
    y_seq = net(channels_last(images()))
    assert len(seen) == 20 + 20 + 17
    assert all(map(all, seen))
    torch.testing.assert_close(y_seq, expected, rtol=1e-3, atol=1e-3)
    y_seq.square().sum().backward()
    convs = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert all(w.grad.isfinite().all() for w in convs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_autocast_trains_with_states_in_full_precision(way, dtype):
    net = WAYS[way](net_of())
    dtypes = set()
    for module in net.modules():
        if isinstance(module, neuron.LIFNode):
            module.register_forward_hook(lambda _, x, y: dtypes.add((x[0].dtype, y.dtype)))
    with torch.autocast("cpu", dtype):
        loss = net(images()).float().square().mean()
    loss.backward()
    assert (dtype, dtype) in dtypes
    assert {v.dtype for v in base.memories(net)} == {torch.float32}
    grads = [p.grad for p in net.parameters()]
    assert all(g is not None and g.isfinite().all() and g.dtype == torch.float32 for g in grads)
    functional.detach_net(net)
