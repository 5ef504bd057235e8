"""The leaky synapse: its equation, modes, backends, gradients, and SpikingJelly's."""

import pytest
import torch
from cases import sequence
from torch import nn

from spikeframe import functional, kernels, layer


def spikes(size=(3, 5), T=9, seed=0, **options):
    return (sequence(size, T, seed) > 0.9).to(**({"dtype": torch.float32} | options))


def literal(x_seq, rate, i=0.0):
    out = []
    for x in x_seq:
        i = i - (1 - x) * i * rate + x
        out.append(i)
    return torch.stack(out)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tau", [3.0, torch.linspace(2, 50, 5)])
@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("backend", ["eager", "torch"])
def test_it_follows_its_equation(tau, learnable, backend, dtype):
    node = layer.SynapseFilter(tau, learnable, step_mode="m", backend=backend).to(dtype)
    x_seq = spikes(dtype=dtype).requires_grad_()
    out = node(x_seq)
    weights = sequence((3, 5), 9, seed=1, dtype=torch.float64)
    (out * weights).sum().backward()
    x = x_seq.detach().double().requires_grad_()
    w = torch.as_tensor(node.tau).detach().double().sub(1).log().neg().requires_grad_()
    expected = literal(x, w.sigmoid())
    (expected * weights).sum().backward()
    assert torch.allclose(out.double(), expected, rtol=1e-5)
    assert torch.allclose(x_seq.grad.double(), x.grad, rtol=1e-4, atol=1e-5)
    if learnable:
        assert torch.allclose(node.w.grad.double(), w.grad, rtol=1e-4, atol=1e-5)
        assert torch.allclose(node.tau, torch.as_tensor(tau, dtype=dtype), rtol=1e-5)


def test_steps_equal_the_sequence_and_state_carries_over():
    single, multi = layer.SynapseFilter(5.0), layer.SynapseFilter(5.0, step_mode="m")
    x_seq = spikes()
    expected = torch.stack([single(x) for x in x_seq])
    assert torch.equal(torch.cat([multi(x_seq[:4]), multi(x_seq[4:])]), expected)
    assert torch.equal(multi.out_i, expected[-1])
    with pytest.raises(ValueError, match="out_i has shape .*functional.reset_net"):
        multi(x_seq[:, :2])
    functional.reset_net(multi)
    assert torch.equal(multi(x_seq), expected)
    half = layer.SynapseFilter(5.0, step_mode="m")(x_seq.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16


def test_it_is_fused_on_every_engine():
    node = layer.SynapseFilter(5.0, True, step_mode="m")
    assert kernels.why_not(node, "torch") is None
    reason = kernels.why_not(node, "cpp")
    if reason is not None:
        pytest.skip(reason)
    outputs = []
    for backend in ("eager", "cpp"):
        functional.reset_net(node)
        functional.set_backend(nn.Sequential(node), backend)
        assert node.backend == backend
        outputs.append(node(spikes()))
    assert torch.equal(*outputs)


def test_print_and_parameters():
    assert repr(layer.SynapseFilter(3)) == "SynapseFilter(tau=3.0, learnable=False, step_mode=s)"
    learned = layer.SynapseFilter(3, learnable=True)
    assert repr(learned) == "SynapseFilter(tau=3, learnable=True, step_mode=s)"
    assert list(learned.state_dict()) == ["w"]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"tau": 1}, ValueError, "tau must be finite and greater than 1 .in time steps., got 1"),
        ({"tau": float("inf")}, ValueError, "got inf"),
        ({"tau": torch.tensor([0.5, 2])}, ValueError, "got values from 0.5 to 2"),
        ({"tau": "3"}, TypeError, "tau must be a number"),
        ({"learnable": 1}, TypeError, "learnable must be True or False, got 1"),
    ],
)
def test_bad_arguments_say_what_is_allowed(arguments, error, text):
    with pytest.raises(error, match=text):
        layer.SynapseFilter(**arguments)


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("learnable", [False, True])
def test_it_equals_spikingjellys(learnable):
    theirs = pytest.importorskip("spikingjelly.activation_based.layer", reason="make parity")
    pair = [m.SynapseFilter(7.0, learnable, step_mode="m") for m in (layer, theirs)]
    pair[0].load_state_dict(pair[1].state_dict())
    grads = []
    for module in pair:
        x_seq = spikes().requires_grad_()
        out = module(x_seq)
        out.square().sum().backward()
        grads.append([out, x_seq.grad, *(p.grad for p in module.parameters())])
    assert torch.equal(grads[0][0], grads[1][0])
    for a, b in zip(*grads, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-5)
