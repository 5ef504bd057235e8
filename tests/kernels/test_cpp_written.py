"""Calls in C++ written out take a shorter way to the very kernels of the longer one."""

import pytest
import torch
from cases import sequence
from spikeframe.kernels import cpp
from spikeframe.kernels.cache import traced
from spikeframe.kernels.cpp_written import WrittenLaunch, serves
from spikeframe.kernels.layout import Layout

from spikeframe import kernels, neuron, surrogate

needs_a_compiler = pytest.mark.skipif(
    kernels.why_not(neuron.IFNode(), "cpp") is not None, reason="no compiler"
)


def test_it_serves_where_all_parameters_are_numbers():
    assert serves([1.0, 2])
    assert not serves([1.0, torch.ones(())])


@needs_a_compiler
def test_a_large_call_takes_the_threads_of_now(monkeypatch):
    x_seq = sequence((cpp.SMALLEST_SHARE,), 3)
    written, long, parameters = launches_of(x_seq, wanted=False)
    expected = long.forward([x_seq], [0.0], parameters)[0][0]
    asked = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: asked.append(1) or 2)
    for _ in range(2):
        assert torch.equal(written.apply(parameters, x_seq, 0.0)[0], expected)
    assert len(asked) == 2


def launches_of(x_seq, wanted):
    """The shorter and the longer way of one program, and its parameters."""
    node = neuron.LIFNode(2.7, surrogate_function=surrogate.ATan(), v_reset=-0.25)
    known, layout = traced(node), Layout(x_seq)
    parameters = known.parameters(node)
    program = known.program((), () if wanted else None, x_seq.element_size() == 2)
    assert cpp.prepare(program, x_seq.dtype, parameters) is None
    written = WrittenLaunch(program, layout, parameters, [x_seq.stride()])
    return written, cpp.Launch(program, layout, parameters), parameters


LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.mT.contiguous().mT,
    "steps apart": lambda x: torch.stack((x, x + 1), 1)[:, 0],
    "one step": lambda x: x[:1],
}


@needs_a_compiler
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("start", [0.25, "tensor"])
def test_the_forward_is_the_same(layout, start):
    x_seq = LAYOUTS[layout](sequence((5, 7)))
    written, long, parameters = launches_of(x_seq, wanted=False)
    v = Layout(x_seq).step().fill_(0.25) if start == "tensor" else start
    (expected,), (v_last,), _ = long.forward([x_seq], [v], parameters)
    spikes, last = written.apply(parameters, x_seq, v)
    assert torch.equal(spikes, expected)
    assert torch.equal(last, v_last)
    assert (spikes.stride(), last.stride()) == (expected.stride(), v_last.stride())
    assert not spikes.requires_grad


COTANGENTS = {
    "as usual": lambda g: g,
    "expanded": lambda g: g.sum().expand_as(g),
    "transposed": lambda g: g.mT.contiguous().mT,
    "negated when read": lambda g: torch._neg_view(-g),
}


@needs_a_compiler
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cotangent", COTANGENTS)
def test_the_backward_is_the_same(layout, cotangent):
    x_seq = LAYOUTS[layout](sequence((5, 7)))
    written, long, parameters = launches_of(x_seq, wanted=True)
    v = Layout(x_seq).step().fill_(0.25)
    (spikes,), (last,), saved = long.forward([x_seq], [v], parameters)
    grads = [COTANGENTS[cotangent](sequence((5, 7), x_seq.shape[0], seed=1))]
    for state_grad in (None, torch.ones_like(last)):
        (x_grad,), (v_grad,), _ = long.backward(grads, [state_grad], saved, [], parameters)
        x, first = x_seq.detach().requires_grad_(), v.clone().requires_grad_()
        found, v_found = written.apply(parameters, x, first)
        assert torch.equal(found, spikes)
        if state_grad is None:
            results = torch.autograd.grad(found, (x, first), grads)
        else:
            results = torch.autograd.grad((found, v_found), (x, first), [*grads, state_grad])
        assert torch.equal(results[0], x_grad)
        assert torch.equal(results[1], v_grad)


@needs_a_compiler
def test_a_state_that_is_a_number_has_no_gradient():
    x_seq = sequence((5, 7)).requires_grad_()
    written, _, parameters = launches_of(x_seq.detach(), wanted=True)
    spikes, last = written.apply(parameters, x_seq, 0.0)
    assert spikes.grad_fn.backward_ran is False
    last.sum().backward()
    assert spikes.grad_fn.backward_ran is True
    assert x_seq.grad.abs().sum() > 0


@needs_a_compiler
def test_other_numbers_are_what_runs():
    x_seq = sequence((5, 7))
    written, long, parameters = launches_of(x_seq, wanted=False)
    results = []
    for scale in (1.0, 0.5, 1.0):
        given = tuple(scale * number for number in parameters)
        (expected,), (last,), _ = long.forward([x_seq], [0.0], given)
        results.append(written.apply(given, x_seq, 0.0))
        assert torch.equal(results[-1][0], expected)
        assert torch.equal(results[-1][1], last)
    assert not torch.equal(results[0][1], results[1][1])
    assert torch.equal(results[0][1], results[2][1])
