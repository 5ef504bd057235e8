"""The straight-through surrogates: what they emit, and that the gradient passes."""

import pytest
import torch
from naming import shown
from surrogates import derivative_equals

from spikeframe import surrogate


@pytest.mark.parametrize(
    ("spike", "formula"),
    [
        (surrogate.StraightThroughEstimator(), lambda u: 1),
        (surrogate.DeterministicPass(), lambda u: 1),
        (surrogate.PoissonPass(), lambda u: 1),
        (surrogate.MultiLevelSpikeCount(1), lambda u: 0 <= u <= 1),
        (surrogate.MultiLevelSpikeCount(8), lambda u: 0 <= u <= 8),
        (surrogate.MultiLevelSpikeCount(2, grad_window=(-1, 2.5)), lambda u: -1 <= u <= 2.5),
        (surrogate.MultiLevelSpikeCount(2, grad_window=(-torch.inf, 1)), lambda u: u <= 1),
    ],
    ids=shown,
)
def test_derivative_is_the_formula(spike, formula):
    derivative_equals(spike, lambda u: float(formula(u)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_poisson_pass_fires_with_its_input_as_probability(dtype):
    torch.manual_seed(0)
    u = torch.tensor([0.0, 0.25, 1.0], dtype=dtype).repeat(20000, 1).requires_grad_()
    spikes = surrogate.PoissonPass()(u)
    assert spikes.dtype == dtype
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(
        spikes.float().mean(0), torch.tensor([0.0, 0.25, 1.0]), rtol=0, atol=0.01
    )
    spikes.backward(u.detach())
    assert torch.equal(u.grad, u)


def test_count_rounds_halves_to_even_and_saturates():
    u = torch.tensor([-2.0, -0.4, 0.5, 0.51, 1.5, 2.49, 3.5, 99.0, torch.inf])
    expected = torch.tensor([0, 0, 0, 1, 2, 2, 3, 3, 3.0])
    torch.testing.assert_close(surrogate.MultiLevelSpikeCount(3)(u), expected)


def test_count_has_no_gradient_at_infinity():
    u = torch.tensor([-torch.inf, torch.inf])
    assert torch.equal(surrogate.MultiLevelSpikeCount(3).derivative(u), torch.zeros(2))


def test_count_prints_its_window():
    assert repr(surrogate.MultiLevelSpikeCount(3)) == (
        "MultiLevelSpikeCount(max_spike_count=3, grad_min=0.0, grad_max=3.0, spiking=True)"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"max_spike_count": 0}, ValueError, "max_spike_count must be at least 1, got 0"),
        ({"max_spike_count": 2.0}, TypeError, "max_spike_count must be an int, got 2.0"),
        ({"max_spike_count": True}, TypeError, "max_spike_count must be an int, got True"),
        ({"grad_window": 3}, TypeError, "grad_window must be a pair of numbers or None, got 3"),
        ({"grad_window": (0, "1")}, TypeError, "an end of grad_window must be a number, got '1'"),
        ({"grad_window": (1, 0)}, ValueError, r"grad_window must be \(smaller, larger\), got"),
        ({"grad_window": (0, torch.nan)}, ValueError, "an end of grad_window must be a number"),
    ],
)
def test_wrong_counts_are_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        surrogate.MultiLevelSpikeCount(**{"max_spike_count": 2, **arguments})
