"""Every neuron against its literal equations in float64: spikes, membrane, all gradients."""

import pytest
import torch
from cases import NEURONS, RESETS, SIZES, TOLERANCE, sequence
from reference import literal_sequence, relative_error

from spikeframe import surrogate


def run(node, x_seq):
    """Spikes, V, and the gradients to input and parameters under fixed random cotangents."""
    x_seq = x_seq.detach().requires_grad_()
    spikes = node(x_seq)
    weights = sequence(tuple(x_seq.shape[1:]), T=x_seq.shape[0], seed=1, dtype=spikes.dtype)
    last = sequence(tuple(x_seq.shape[1:]), T=1, seed=2, dtype=node.v.dtype)[0]
    ((spikes * weights).sum() + (node.v * last).sum()).backward()
    return spikes.detach(), x_seq.grad, {n: p.grad for n, p in node.named_parameters()}


def literal(case, node, x_seq, spikes):
    x_seq = x_seq.detach().double().requires_grad_()
    out, v_seq = literal_sequence(case, node, x_seq, spikes)
    weights = sequence(tuple(x_seq.shape[1:]), T=x_seq.shape[0], seed=1, dtype=torch.float64)
    last = sequence(tuple(x_seq.shape[1:]), T=1, seed=2, dtype=torch.float64)[0]
    for parameter in node.parameters():
        parameter.grad = None
    ((out * weights).sum() + (v_seq[-1] * last).sum()).backward()
    return v_seq.detach(), x_seq.grad, {n: p.grad for n, p in node.named_parameters()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("v_reset", "detach_reset"), RESETS)
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_neuron_follows_its_equations(case, v_reset, detach_reset, dtype):
    for size in SIZES:
        node = case(
            v_reset=v_reset,
            detach_reset=detach_reset,
            surrogate_function=surrogate.ATan(),
            step_mode="m",
            store_v_seq=True,
        ).to(dtype)
        x_seq = sequence(size, dtype=dtype)
        spikes, grad, parameter_grads = run(node, x_seq)
        assert 0 < spikes.mean() < 1 or spikes.numel() == 7
        v_seq, expected_grad, expected = literal(case, node, x_seq, spikes)
        assert relative_error(node.v_seq.detach(), v_seq) < TOLERANCE[dtype]
        assert relative_error(grad, expected_grad) < TOLERANCE[dtype]
        for name, value in parameter_grads.items():
            assert relative_error(value, expected[name]) < TOLERANCE[dtype], name


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_neuron_twice_differentiable(case):
    node = case(surrogate_function=surrogate.ATan(), step_mode="m", backend="eager").double()
    x_seq = sequence((3,), T=4, dtype=torch.float64).requires_grad_()
    (grad,) = torch.autograd.grad(node(x_seq).sum(), x_seq, create_graph=True)
    (second,) = torch.autograd.grad(grad.sum(), x_seq)
    assert second.isfinite().all()
    assert second.abs().max() > 0


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_neuron_has_gradients_in_eval(case):
    node = case(step_mode="m").eval()
    x_seq = sequence((3,)).requires_grad_()
    node(x_seq).sum().backward()
    assert x_seq.grad.abs().sum() > 0


@pytest.mark.parametrize("layout", ["transposed", "channels_last", "sliced", "expanded"])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_neuron_does_not_depend_on_the_layout(case, layout):
    x_seq = sequence((2, 4, 3, 3))
    views = {
        "transposed": x_seq.transpose(1, 3).contiguous().transpose(1, 3),
        "channels_last": x_seq.flatten(0, 1)
        .to(memory_format=torch.channels_last)
        .unflatten(0, x_seq.shape[:2]),
        "sliced": torch.stack([x_seq, x_seq], -1).flatten(-2)[..., ::2],
        "expanded": x_seq[:1].expand(7, *x_seq.shape[1:]),
    }
    view = views[layout]
    kwargs = {"surrogate_function": surrogate.ATan(), "step_mode": "m"}
    spikes, grad, _ = run(case(**kwargs), view)
    plain_spikes, plain_grad, _ = run(
        case(**kwargs), view.clone(memory_format=torch.contiguous_format)
    )
    assert torch.equal(spikes, plain_spikes)
    assert torch.equal(grad, plain_grad)
