"""Every neuron against its literal equations in float64: spikes, membrane, all gradients."""

import pytest
import torch
from cases import EVERY_NEURON, NEURONS, SIZES, TOLERANCE, sequence
from reference import literal_sequence, relative_error

from spikeframe import surrogate


def loss_of(outputs, states):
    """Fixed random cotangents of the outputs and of each last state."""
    options = {"dtype": outputs.dtype, "T": len(outputs)}
    loss = (outputs * sequence(tuple(outputs.shape[1:]), seed=1, **options)).sum()
    for i, state in enumerate(states):
        loss = loss + (state * sequence(tuple(state.shape), T=1, seed=2 + i).to(state)[0]).sum()
    return loss


def run(node, inputs, states=("v",)):
    """Outputs, and the gradients of inputs and parameters."""
    inputs = [x.detach().requires_grad_() for x in inputs]
    outputs = node(*inputs)
    loss_of(outputs, [getattr(node, name) for name in states]).backward()
    grads = {n: p.grad for n, p in node.named_parameters()}
    return outputs.detach(), [x.grad for x in inputs], grads


def literal(case, node, inputs, given):
    inputs = [x.detach().double().requires_grad_() for x in inputs]
    outputs, state_seqs = literal_sequence(case, node, inputs, given)
    for parameter in node.parameters():
        parameter.grad = None
    loss_of(outputs, [seq[-1] for seq in state_seqs]).backward()
    grads = {n: p.grad for n, p in node.named_parameters()}
    return outputs.detach(), state_seqs, [x.grad for x in inputs], grads


EXHAUSTIVE = [(case, options) for case in NEURONS for options in case.options]
BRIEF = [(case, options) for case in EVERY_NEURON[len(NEURONS) :] for options in case.options]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("case", "options"), EXHAUSTIVE + BRIEF, ids=str)
def test_neuron_follows_its_equations(case, options, dtype):
    brief = (case, options) in BRIEF
    common = case.known(
        surrogate_function=surrogate.ATan(), backend="torch" if brief else "auto", step_mode="m"
    )
    for size in SIZES[2:4] if brief else SIZES:
        node = case(**{**common, **options, **case.arguments}, store_state_seqs=True).to(dtype)
        inputs = case.sequences(size, dtype=dtype)
        outputs, grads, parameter_grads = run(node, inputs, case.states)
        if case.spikes and outputs.numel() > 7:
            assert 0 < (outputs != 0).double().mean() < 1
        expected_outputs, states, expected_grads, expected = literal(case, node, inputs, outputs)
        assert relative_error(outputs, expected_outputs) < TOLERANCE[dtype]
        for name, seq in zip(case.states, states, strict=True):
            assert relative_error(node.state_seqs[name].detach(), seq) < TOLERANCE[dtype], name
        for grad, expected_grad in zip(grads, expected_grads, strict=True):
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
    spikes, (grad,), _ = run(case(**kwargs), [view])
    plain = view.clone(memory_format=torch.contiguous_format)
    plain_spikes, (plain_grad,), _ = run(case(**kwargs), [plain])
    assert torch.equal(spikes, plain_spikes)
    assert torch.equal(grad, plain_grad)
