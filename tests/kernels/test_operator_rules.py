"""The operator in a batch of calls, and where it must not be differentiated."""

import pytest
import torch
from cases import NEURONS, sequence
from operator_calls import call_of
from spikeframe.kernels.operator import BACKWARD, FORWARD
from spikeframe.kernels.operator_rules import moved, spread
from spikeframe.kernels.parse import parse
from torch.func import vmap

from spikeframe import neuron, surrogate

BITS = {"surrogate_function": surrogate.Rect(), "detach_reset": True}


@pytest.mark.parametrize("dim", [0, 1, 2, None])
@pytest.mark.parametrize("to", [0, 1])
def test_the_mapped_axis_is_moved_or_made(dim, to):
    x = sequence((3, 2), T=5)
    size = 4 if dim is None else x.shape[dim]
    found, nothing = moved([x, None], [dim, None], to, size)
    assert nothing is None
    assert found.is_contiguous()
    for i in range(size):
        expected = x if dim is None else x.select(dim, i)
        assert torch.equal(found.select(to, i), expected)


@pytest.mark.parametrize("shape", [(), (5,), (3, 1), (3, 5)])
def test_a_mapped_parameter_broadcasts_to_the_steps_of_its_own_call(shape):
    mapped = sequence(shape, T=4)
    (found,) = spread([mapped], [0], 2)
    step = torch.ones(4, 3, 5)
    for i in range(4):
        assert torch.equal((step * found)[i], step[i] * mapped[i])
    (same,) = spread([mapped], [None], 2)
    assert same is mapped


@pytest.mark.parametrize("build", [lambda: neuron.LIFNode(**BITS), NEURONS[3]], ids=["bits", "w"])
@pytest.mark.parametrize("mapped", ["x", "v", "both"])
def test_a_batch_of_backwards_is_a_loop_over_them(build, mapped):
    """What the forward saved is mapped where the forward was, bits in bytes of eight steps."""
    call = call_of(build(), T=9, shape=(3, 2))
    program = parse(call.program)
    used = program.n_outputs + program.n_states
    x_seqs = [torch.stack([x.detach(), 0.5 * x.detach()]) for x in call.x_seqs]
    states = [torch.stack([v.detach(), 0.5 * v.detach()]) for v in call.states]
    tensors = [t.detach() for t in call.tensors]
    dims = (0 if mapped != "v" else None, 0 if mapped != "x" else None)

    def run(x, v):
        results = FORWARD([x], [v], tensors, *call[3:])
        grads = [torch.ones_like(result) for result in results[:used]]
        inputs = [x] if program.saved_inputs else []
        end = (*call[3:], x.shape, x.stride(), x.dtype)
        return [*results[:used], *BACKWARD(grads, results[used:], inputs, [], tensors, *end)]

    x, v = x_seqs[0], states[0]
    x, v = x if dims[0] == 0 else x[0], v if dims[1] == 0 else v[0]
    found = vmap(run, in_dims=dims)(x, v)
    for i in range(2):
        expected = run(x[i] if dims[0] == 0 else x, v[i] if dims[1] == 0 else v)
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a[i], b)


def test_the_results_of_a_backward_are_not_differentiated_again():
    call = call_of(neuron.LIFNode(), T=3)
    program = parse(call.program)
    used = program.n_outputs + program.n_states
    results = [result.detach() for result in FORWARD(*call)]
    grads = [torch.ones_like(result).requires_grad_() for result in results[:used]]
    x = call.x_seqs[0]
    end = (*call[3:], x.shape, x.stride(), x.dtype)
    found = BACKWARD(grads, results[used:], [], [], [], *end)
    with pytest.raises(RuntimeError, match="differentiates once and in reverse"):
        torch.autograd.grad(found[0].sum(), grads)
    with torch.no_grad():
        assert not BACKWARD(grads, results[used:], [], [], [], *end)[0].requires_grad


def test_what_is_saved_has_no_gradient():
    results = FORWARD(*call_of(neuron.LIFNode(), T=3))
    assert [result.requires_grad for result in results] == [True, True, False]


def test_without_gradients_no_node_is_made():
    call = call_of(neuron.LIFNode(), T=3)
    with torch.no_grad():
        assert not any(result.requires_grad for result in FORWARD(*call))
    assert not any(r.requires_grad for r in FORWARD(*call_of(neuron.LIFNode(), T=3, wanted=False)))
