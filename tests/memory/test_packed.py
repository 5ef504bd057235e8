"""Packed spikes change no gradient, and are what is kept."""

import copy

import pytest
import torch
from cases import NEURONS
from torch import nn
from torch.nn import functional as F

from spikeframe import functional, layer, memory, neuron, surrogate


class Net(nn.Module):
    """Convolutions, pool, linear layer and attention of spikes, some of them changed in place."""

    def __init__(self, make, attention=True):
        super().__init__()
        self.attention = attention
        self.conv1 = layer.Conv2d(2, 4, 3, padding=1)
        self.lif1 = make()
        self.conv2 = layer.Conv2d(4, 4, 3, padding=1)
        self.lif2 = make()
        self.pool = layer.MaxPool2d(2)
        self.flatten, self.fc = layer.Flatten(), layer.Linear(36, 8)
        self.lif3 = make()

    def forward(self, x):
        first = self.lif1(self.conv1(x))
        second = self.lif2(self.conv2(first))
        second += first
        y = self.lif3(self.fc(self.flatten(self.pool(second))))
        if self.attention:
            y = y @ y.mT @ y
        return y


def net_of(case, **options):
    torch.manual_seed(0)
    make = lambda: case(surrogate_function=surrogate.ATan(), v_threshold=0.4)  # noqa: E731
    net = Net(make, **options).double()
    functional.set_step_mode(net, "m")
    return net


def inputs():
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.randn(4, 3, 2, 6, 6, generator=generator, dtype=torch.float64)


def gradients(net, run=lambda net, x: net(x)):
    functional.reset_net(net)
    net.zero_grad()
    x = inputs().requires_grad_()
    y = run(net, x)
    y.square().sum().backward()
    return [y, x.grad, *(p.grad.clone() for p in net.parameters())]


def within(net, x):
    with memory.packed_spikes():
        return net(x)


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_packing_loses_nothing(case):
    net = net_of(case)
    expected = gradients(net)
    assert expected[0].any()
    for found, reference in zip(gradients(net, within), expected, strict=True):
        assert torch.equal(found, reference)


def kept_by(function, *tensors):
    """Bytes that are kept of each tensor's values, by the storages that survive."""
    with memory.packed_spikes():
        return memory.report(function, *tensors)


def test_inputs_of_convolutions_and_linear_layers_are_bits():
    net = nn.Sequential(
        neuron.IFNode(step_mode="m"),
        layer.Conv2d(2, 4, 3, bias=False, step_mode="m"),
        neuron.IFNode(step_mode="m"),
        layer.Flatten(step_mode="m"),
        layer.Linear(64, 5, step_mode="m"),
    )
    report = kept_by(net, torch.rand(4, 3, 2, 6, 6, requires_grad=True))
    rows = {row.name: row for row in report.layers}
    assert (rows["1"].bytes, rows["1"].packed) == (4 * 3 * 72 // 8,) * 2
    assert (rows["4"].bytes, rows["4"].packed) == (4 * 3 * 64 // 8,) * 2


@pytest.mark.parametrize(
    "change",
    [lambda s: s.mul_(0.3), lambda s: s.view(-1)[::3].add_(1), lambda s: s.unbind(0)[1].zero_()],
    ids=["all", "some", "a step"],
)
def test_what_spikes_became_is_kept_as_it_is(change):
    node, fc = neuron.IFNode(step_mode="m"), nn.Linear(8, 2)
    with torch.no_grad():
        spikes = node(torch.rand(4, 3, 8) * 3)
        change(spikes)
    with memory.packed_spikes():
        fc(spikes).sum().backward()
    torch.testing.assert_close(fc.weight.grad[0], spikes.sum((0, 1)))


def test_a_change_behind_the_layer_is_still_torchs_error():
    fc = nn.Linear(8, 2)
    spikes = neuron.IFNode(step_mode="m")(torch.rand(4, 3, 8))
    with memory.packed_spikes():
        y = fc(spikes)
    expected = spikes.sum((0, 1))
    spikes.add_(1)
    y.sum().backward()
    torch.testing.assert_close(fc.weight.grad[0], expected)


def test_attention_of_spikes_is_packed():
    x = neuron.IFNode(step_mode="m")(torch.rand(4, 3, 8, 8, requires_grad=True) * 2)

    class Attends(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x)

    with memory.packed_spikes():
        y = Attends()(x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    plain = x.detach().requires_grad_()
    (expected,) = torch.autograd.grad(Attends()(plain).sum(), plain)
    torch.testing.assert_close(grad, expected)


def test_a_net_may_pack_by_itself():
    net = net_of(NEURONS[1])
    expected = gradients(net)
    handles = memory.pack_spikes(net)
    assert sum(row.packed for row in memory.report(net, inputs()).layers) > 0
    for found, reference in zip(gradients(net), expected, strict=True):
        assert torch.equal(found, reference)
    for handle in handles:
        handle.remove()
    assert not net._forward_hooks
    assert not net._forward_pre_hooks
    assert sum(row.packed for row in memory.report(net, inputs()).layers) == 0


def test_packing_ends_after_an_error_in_the_net():
    net = net_of(NEURONS[1])
    memory.pack_spikes(net)
    with pytest.raises(ValueError, match="Conv2d"):
        net(torch.rand(2, 2))
    spikes = neuron.IFNode()(torch.rand(4, 8, requires_grad=True) * 2)
    fc = nn.Linear(8, 2)
    y = fc(spikes)
    # Outside, torch keeps the tensor itself and sees that it was changed.
    spikes.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_autocast_and_channels_last_are_packed():
    net = net_of(NEURONS[1], attention=False).float().to(memory_format=torch.channels_last)
    x = inputs().float()
    with torch.autocast("cpu", torch.bfloat16), memory.packed_spikes():
        report = memory.report(net, x)
    rows = {row.name: row for row in report.layers}
    assert rows["conv2"].packed == 4 * 3 * 4 * 36 // 8
    twin = copy.deepcopy(net)
    for module, run in ((net, within), (twin, lambda net, x: net(x))):
        functional.reset_net(module)
        with torch.autocast("cpu", torch.bfloat16):
            run(module, x).float().square().sum().backward()
    for ours, reference in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.equal(ours.grad, reference.grad)
