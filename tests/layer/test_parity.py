"""Layers equal SpikingJelly's, live, where it is installed: outputs, gradients, parameters."""

import importlib
import warnings

import pytest
import torch
from torch import nn

from spikeframe import functional, layer, neuron, surrogate

pytestmark = pytest.mark.parity

EXACT = {"rtol": 1e-9, "atol": 1e-9}


def peer(name):
    # Peers warn while they import, which would be an error here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(f"spikingjelly.activation_based.{name}")
        except ModuleNotFoundError as missing:
            pytest.skip(f"spikingjelly is not installed ({missing})")


def lif(**options):
    return neuron.LIFNode(tau=1.3, surrogate_function=surrogate.ATan(), **options)


def their_lif(**options):
    spike = peer("surrogate").ATan()
    return peer("neuron").LIFNode(tau=1.3, surrogate_function=spike, **options)


def norm(name, *args, shape, **options):
    args = (*args, 3)
    kwargs = {"step_mode": "m"} if "Through" in name else {}
    return pytest.param(name, args, args, options | kwargs, shape, id=f"{name}-{len(shape)}")


def same(name, *args, shape, **options):
    return pytest.param(name, args, args, options, shape, id=f"{name}-{len(shape)}")


CASES = [
    norm("ThresholdDependentBatchNorm1d", 0.7, 1.5, shape=(3,)),
    norm("ThresholdDependentBatchNorm1d", 0.7, 1.5, shape=(3, 5)),
    norm("ThresholdDependentBatchNorm2d", 0.7, 1.5, shape=(3, 4, 5)),
    norm("ThresholdDependentBatchNorm3d", 0.7, 1.5, shape=(3, 2, 4, 5)),
    norm("TemporalEffectiveBatchNorm1d", 6, shape=(3,)),
    norm("TemporalEffectiveBatchNorm2d", 6, shape=(3, 4, 5)),
    norm("TemporalEffectiveBatchNorm3d", 6, shape=(3, 2, 4, 5)),
    norm("BatchNormThroughTime1d", 6, shape=(3, 5)),
    norm("BatchNormThroughTime2d", 6, shape=(3, 4, 5)),
    norm("BatchNormThroughTime3d", 6, shape=(3, 2, 4, 5)),
    same("NeuNorm", 3, 4, 5, 0.8, step_mode="m", shape=(3, 4, 5)),
    same("NeuNorm", 3, 4, 5, 0.8, True, step_mode="m", shape=(3, 4, 5)),
    same("WSConv2d", 4, 6, 3, 2, 1, 1, 2, step_mode="m", shape=(4, 7, 6)),
    same("WSLinear", 5, 4, step_mode="m", shape=(5,)),
    same("Delay", 2, step_mode="m", shape=(5,)),
    same("VotingLayer", 3, step_mode="m", shape=(6,)),
    same("TemporalWiseAttention", 6, 2, shape=(3, 4, 5)),
    same("TemporalWiseAttention", 6, 3, 2, shape=(7,)),
    same("MultiDimensionalAttention", 6, 4, 2, 2, shape=(4, 5, 3)),
    same("SpikeCountToBinary", 3, True, shape=(5,)),
    same("TemporalBinSum", 4, True, shape=(5,)),
    *(
        pytest.param(
            name, (8, 2, *rest, lif), (8, 2, *rest, their_lif), {}, shape, id=f"{name}{rest}"
        )
        for name, rest, shape in [
            ("SpikingSelfAttention", (), (8, 5)),
            ("TokenQKAttention", (), (8, 5)),
            ("ChannelQKAttention", (), (8, 5)),
            ("QKAttention", ("channel",), (8, 5)),
            ("SpikeDrivenSelfAttention", (), (8, 3, 5)),
        ]
    ),
]


def results(module, x_seq):
    """Output of two calls, and gradients to the input and to every parameter by name."""
    x_seq = x_seq.clone().requires_grad_()
    y_seq = module(x_seq)
    (y_seq * torch.linspace(-1, 1, y_seq.numel()).double().view_as(y_seq)).sum().backward()
    grads = {name: p.grad for name, p in module.named_parameters()}
    return y_seq, x_seq.grad, grads, dict(module.state_dict())


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("name", "args", "their_args", "options", "shape"), CASES)
def test_layer_equals_spikingjelly(name, args, their_args, options, shape, training):
    ours = getattr(layer, name)(*args, **options).double()
    theirs = getattr(peer("layer"), name)(*their_args, **options).double()
    # Their factory gets no threshold; ours gets the published one.
    if hasattr(theirs, "attn_lif"):
        theirs.attn_lif.v_threshold = 0.5
    generator = torch.Generator().manual_seed(0)
    values = [torch.rand(t.shape, generator=generator) + 0.3 for t in ours.state_dict().values()]
    for module in (ours, theirs):
        assert list(module.state_dict()) == list(ours.state_dict())
        for tensor, value in zip(module.state_dict().values(), values, strict=True):
            tensor.copy_(value)
        module.train(training)
    x_seq = torch.randn(6, 3, *shape, generator=generator, dtype=torch.float64)
    found, expected = results(ours, x_seq), results(theirs, x_seq)
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_recurrent_containers_equal_spikingjelly(step_mode):
    x_seq = torch.randn(6, 3, 5, dtype=torch.float64)
    pairs = []
    for room, make in ((layer, lif), (peer("layer"), their_lif)):
        torch.manual_seed(0)
        inner = nn.Sequential(nn.Linear(5, 4), make())
        linear = room.LinearRecurrentContainer(inner, 5, 4, step_mode=step_mode).double()
        plain = room.ElementWiseRecurrentContainer(make(), torch.add, step_mode=step_mode)
        pairs.append((linear, plain))
    for ours, theirs in zip(*pairs, strict=True):
        found, expected = (
            net(x_seq) if step_mode == "m" else torch.stack([net(x) for x in x_seq])
            for net in (ours, theirs)
        )
        torch.testing.assert_close(found, expected, **EXACT)
        assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("invariant", [False, True])
def test_drop_connect_equals_spikingjelly_where_it_is_deterministic(invariant):
    for p, activation in ((0.0, None), (1.0, nn.ReLU())):
        fcs = []
        for room in (layer, peer("layer")):
            torch.manual_seed(0)
            options = {"invariant": invariant, "activation": activation, "step_mode": "m"}
            fcs.append(room.DropConnectLinear(5, 4, p=p, **options).double())
        x_seq = torch.randn(6, 3, 5, dtype=torch.float64)
        torch.testing.assert_close(fcs[0](x_seq), fcs[1](x_seq), **EXACT)
        functional.reset_net(fcs[0])
