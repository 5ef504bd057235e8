"""Every row of docs/conformance.md, on every engine."""

import conformance
import pytest
import torch
from agreement import spikes_and_state
from cases import TOLERANCE
from reference import relative_error, replay

from spikeframe import functional


def _measure(node, inputs):
    inputs = [x.detach().requires_grad_() for x in inputs]
    dtype = torch.float64 if inputs[0].dtype == torch.float64 else torch.float32
    first = torch.full(inputs[0].shape[1:], 0.125, dtype=dtype, requires_grad=True)
    setattr(node, node.membrane, first)
    spikes = node(*inputs)
    wanted = [*inputs, first, *node.parameters()]
    loss = spikes_and_state(node, spikes)
    grads = torch.autograd.grad(loss, wanted, materialize_grads=True)
    return spikes.detach(), grads


@pytest.mark.parametrize("row", conformance.ROWS, ids=str)
def test_row(engine, row):
    inputs = row.inputs()
    found, grads = _measure(row.make(engine), inputs)
    exact = row.make("eager")
    with replay(exact.surrogate_function) as switch:
        expected, _ = _measure(exact, inputs)
        switch()
        functional.reset_net(exact)
        _, right = _measure(exact.double(), [x.double() for x in inputs])
    equal = (found == expected).all(0)
    assert equal.all() if row.exact else equal.float().mean() > 0.95
    for grad, reference in zip(grads, right, strict=True):
        if equal.all():
            assert relative_error(grad, reference) <= TOLERANCE[row.dtype]
        elif grad.shape[-equal.dim() :] == equal.shape:
            error = relative_error(grad[..., equal], reference[..., equal])
            assert error <= TOLERANCE[row.dtype]


def test_the_page_is_what_is_tested():
    assert conformance.PAGE.read_text() == conformance.page(), "run python tests/conformance.py"
