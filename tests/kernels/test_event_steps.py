"""Products of steps by events: torch's own bits, or left to torch."""

import pytest
import torch
from cases import sequence
from spikeframe.kernels import cpp, event_steps
from spikeframe.kernels.event_steps import EventSteps, has_torchs_bits, weight_grad
from torch import nn
from torch.nn import functional as F

from spikeframe import functional, rnn

pytestmark = pytest.mark.skipif(
    cpp.why_not(torch.device("cpu")) is not None, reason="needs a C++ compiler"
)


def drawn(rows=64, size=192, share=0.03, bias=True):
    torch.manual_seed(0)
    step = (torch.rand(rows, size) < share).float()
    return step, torch.randn(size, size), torch.randn(size) if bias else None


@pytest.fixture
def equal(monkeypatch):
    """As on a machine whose dense products add in order."""
    monkeypatch.setattr(event_steps, "has_torchs_bits", lambda *shape: True)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.03])
def test_products_that_are_served_are_torchs_bit_by_bit(share, bias):
    step, weight, bias = drawn(share=share, bias=bias)
    found = EventSteps(weight, bias).product(step)
    settings = torch.get_num_threads(), torch.get_float32_matmul_precision()
    served = has_torchs_bits(64, 192, 192, torch.float32, bias is not None, *settings)
    assert (found is not None) == served
    assert found is None or torch.equal(found, F.linear(step, weight, bias))


@pytest.mark.parametrize("shape", [(64, 4, 192), (4, 16, 192)])
def test_steps_have_any_shape(equal, shape):
    _, weight, bias = drawn()
    step = (torch.rand(shape) < 0.02).float()
    found = EventSteps(weight, bias).product(step)
    assert found.shape == shape
    torch.testing.assert_close(found, F.linear(step, weight, bias))


def test_what_differs_is_left_to_torch(monkeypatch):
    """As where sums are cut into pieces: by each of the densities that are tried."""
    monkeypatch.setattr(event_steps, "F", _Rounded)
    has_torchs_bits.cache_clear()
    step, weight, bias = drawn()
    assert EventSteps(weight, bias).product(step) is None
    has_torchs_bits.cache_clear()


class _Rounded:
    @staticmethod
    def linear(step, weight, bias):
        found = F.linear(step, weight, bias)
        found[-1, -1] = torch.nextafter(found[-1, -1], torch.tensor(9.0))
        return found


def _with(value):
    def change(step, weight, bias):
        weight[3, 5] = value
        return step, weight, bias

    return change


LEFT = {
    "inf": _with(torch.inf),
    "nan": _with(torch.nan),
    "few": lambda step, weight, bias: (step[:2], weight, bias),
    "strided": lambda step, weight, bias: (step.t().contiguous().t(), weight, bias),
    "16 bits": lambda step, weight, bias: (step.bfloat16(), weight.bfloat16(), bias.bfloat16()),
}


@pytest.mark.parametrize("name", LEFT)
def test_others_are_left_to_torch(equal, name):
    step, weight, bias = LEFT[name](*drawn())
    events = EventSteps(weight, bias)
    assert events.product(step) is None
    assert events.product(drawn()[0]) is None


def test_many_events_are_not_tried_for_long(equal):
    step, weight, bias = drawn()
    full, events = torch.ones_like(step), EventSteps(weight, bias)
    assert events.product(full) is None
    assert events.product(step) is not None
    for _ in range(event_steps.PATIENCE):
        events.product(full)
    assert events.product(step) is None


@pytest.mark.parametrize("share", [0.0, 0.02, 0.9])
def test_the_gradient_of_a_weight(share):
    states = (torch.rand(500, 70) < share).float()
    grads = torch.randn(500, 70)
    torch.testing.assert_close(weight_grad(grads, states), grads.t() @ states)
    grads[7, 3] = torch.inf
    assert torch.equal(weight_grad(grads, states).isnan(), (grads.t() @ states).isnan())


@pytest.mark.parametrize("drive", [0.35, 1.5])
@pytest.mark.parametrize("bias", [True, False])
def test_a_large_layer_hears_what_its_lines_hear(drive, bias):
    x_seq, results = drive * sequence((64, 256), 12), []
    for backend in ("eager", "cpp"):
        torch.manual_seed(0)
        node = rnn.RecurrentLIFNode(
            nn.Linear(256, 256, bias=bias), tau=2.0, v_threshold=0.6, step_mode="m"
        )
        functional.set_backend(node, backend)
        x = x_seq.clone().requires_grad_()
        spikes = node(x)
        loss = (spikes * torch.linspace(-1, 1, spikes.numel()).reshape(spikes.shape)).sum()
        results.append((spikes, *torch.autograd.grad(loss, [x, *node.parameters()])))
    assert torch.equal(results[0][0], results[1][0])
    assert 0 < results[0][0].mean() < 0.7
    for expected, found in zip(*results, strict=True):
        scale = expected.abs().max().item()
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * scale)
