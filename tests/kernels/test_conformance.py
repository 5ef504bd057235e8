"""Every row of docs/conformance.md, on every engine."""

import conformance
import pytest
import torch
from agreement import spikes_and_state
from cases import TOLERANCE
from reference import relative_error, replay

from spikeframe import functional


def _measure(node, x_seq):
    x_seq = x_seq.detach().requires_grad_()
    first = torch.full(x_seq.shape[1:], 0.125, dtype=state_dtype(x_seq), requires_grad=True)
    node.v = first
    spikes = node(x_seq)
    wanted = [x_seq, first, *node.parameters()]
    grads = torch.autograd.grad(spikes_and_state(node, spikes), wanted)
    return spikes.detach(), grads


def state_dtype(x_seq):
    return torch.float64 if x_seq.dtype == torch.float64 else torch.float32


@pytest.mark.parametrize("row", conformance.ROWS, ids=str)
def test_row(engine, row):
    x_seq = row.x_seq()
    found, grads = _measure(row.make(engine), x_seq)
    exact = row.make("eager")
    with replay(exact.surrogate_function) as switch:
        expected, _ = _measure(exact, x_seq)
        switch()
        functional.reset_net(exact)
        _, right = _measure(exact.double(), x_seq.double())
    assert torch.equal(found, expected)
    for grad, reference in zip(grads, right, strict=True):
        assert relative_error(grad, reference) <= TOLERANCE[row.dtype]


def test_the_page_is_what_is_tested():
    assert conformance.PAGE.read_text() == conformance.page(), "run python tests/conformance.py"
