"""Spiking attention against its equations, and its factory."""

import functools
import pickle

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron

KINDS = [
    layer.SpikingSelfAttention,
    layer.TokenQKAttention,
    layer.ChannelQKAttention,
    layer.SpikeDrivenSelfAttention,
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def inputs(kind, T=4):
    generator = torch.Generator().manual_seed(0)
    step = (2, 6, 3, 5) if kind is layer.SpikeDrivenSelfAttention else (2, 6, 7)
    return 2 * torch.randn(T, *step, generator=generator, dtype=torch.float64)


def build(kind, **options):
    torch.manual_seed(0)
    make = functools.partial(neuron.LIFNode, tau=1.2)
    return kind(6, 2, make, **options).double()


def heads(x):
    """[T, N, C, L] as [T, N, heads, C / heads, L]."""
    return x.unflatten(2, (2, 3))


def test_self_attention_of_spikes():
    net = build(layer.SpikingSelfAttention)
    x_seq = inputs(layer.SpikingSelfAttention)
    spikes = []
    net.qkv_lif.register_forward_hook(lambda _, __, out: spikes.append(out))
    summed = []
    net.attn_lif.register_forward_hook(lambda _, x, out: summed.append((x[0], out)))
    mapped = []
    net.proj_conv_bn.register_forward_hook(lambda _, x, out: mapped.append(x[0]))
    net(x_seq)
    q, k, v = (heads(part) for part in spikes[0].chunk(3, 2))
    expected = torch.einsum("tnhdl,tnhel,tnhem->tnhdm", v, k, q) * 0.125
    torch.testing.assert_close(summed[0][0], expected)
    assert torch.equal(mapped[0], summed[0][1].reshape(4, 2, 6, 7))
    assert net.attn_lif.v_threshold == 0.5
    assert net.qkv_lif.v_threshold == 1.0


@pytest.mark.parametrize(("kind", "axis"), [(KINDS[1], 3), (KINDS[2], 4)])
def test_attention_of_queries_and_keys(kind, axis):
    net, x_seq, seen = build(kind), inputs(kind), {}
    net.qk_lif.register_forward_hook(lambda _, __, out: seen.update(spikes=out))
    net.attn_lif.register_forward_hook(lambda _, x, out: seen.update(summed=x[0], kept=out))
    net.proj_conv_bn.register_forward_hook(lambda _, x, out: seen.update(mapped=x[0]))
    net(x_seq)
    q, k = (heads(part) for part in seen["spikes"].chunk(2, 2))
    assert torch.equal(seen["summed"], q.sum(axis, keepdim=True))
    assert torch.equal(seen["mapped"], (seen["kept"] * k).reshape(4, 2, 6, 7))
    assert seen["mapped"].any()
    assert net.qka_type == ("token" if axis == 3 else "channel")


def test_attention_driven_by_spikes():
    kind = layer.SpikeDrivenSelfAttention
    net, x_seq, seen = build(kind), inputs(kind), {}
    for name in ("q", "k", "v"):
        hook = lambda _, __, out, name=name: seen.update({name: heads(out.flatten(3))})  # noqa: E731
        net.get_submodule(f"{name}_lif").register_forward_hook(hook)
    net.attn_lif.register_forward_hook(lambda _, x, out: seen.update(summed=x[0], kept=out))
    net.proj_conv.register_forward_hook(lambda _, x, out: seen.update(mapped=x[0]))
    net.proj_bn.register_forward_hook(lambda _, __, out: seen.update(out=out))
    y_seq = net(x_seq)
    assert torch.equal(seen["summed"], (seen["k"] * seen["v"]).sum(4, keepdim=True))
    assert torch.equal(seen["mapped"], (seen["q"] * seen["kept"]).reshape(4, 2, 6, 3, 5))
    assert seen["mapped"].any()
    assert torch.equal(y_seq, seen["out"] + x_seq)


@each_kind
def test_step_mode_is_that_of_everything_inside(kind):
    net, x_seq = build(kind).eval(), inputs(kind)
    expected = net(x_seq)
    for change in (
        lambda: functional.set_step_mode(net, "s"),
        lambda: setattr(net, "step_mode", "s"),
    ):
        net.step_mode = "m"
        functional.reset_net(net)
        change()
        modes = {m.step_mode for m in net.modules() if hasattr(m, "step_mode")}
        assert modes == {"s"}
        torch.testing.assert_close(torch.stack([net(x) for x in x_seq]), expected)
    assert build(kind, step_mode="s").attn_lif.step_mode == "s"


@each_kind
def test_options_reach_every_neuron(kind):
    net = kind(6, 3, neuron.LIFNode, tau=3.0, detach_reset=True)
    nodes = [m for m in net.modules() if isinstance(m, neuron.LIFNode)]
    assert {(node.tau, node.detach_reset, node.step_mode) for node in nodes} == {(3.0, True, "m")}
    quiet = kind(6, 3, neuron.IFNode, v_threshold=0.25)
    assert quiet.attn_lif.v_threshold == 0.25


@each_kind
def test_attention_trains_and_is_pickled(kind):
    net = build(kind)
    net(inputs(kind)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    functional.reset_net(net)
    assert pickle.loads(pickle.dumps(kind(6, 2, lambda **options: neuron.IFNode()))) is not None


@each_kind
def test_attention_refuses(kind):
    with pytest.raises(ValueError, match="multiple of num_heads, got dim=6 and num_heads=4"):
        kind(6, 4, neuron.LIFNode)
    with pytest.raises(TypeError, match="spiking_neuron must make neurons, .* got NoneType"):
        kind(6, 2)
    with pytest.raises(TypeError, match="got IFNode"):
        kind(6, 2, neuron.IFNode())
    with pytest.raises(
        ValueError, match=rf"^{kind.__name__}.* with step_mode 'm' takes a sequence"
    ):
        nn.Sequential(build(kind))(inputs(kind)[0, 0])


def test_qka_type_is_checked():
    with pytest.raises(ValueError, match="qka_type must be 'token' or 'channel', got 'both'"):
        layer.QKAttention(6, 2, "both", neuron.LIFNode)
