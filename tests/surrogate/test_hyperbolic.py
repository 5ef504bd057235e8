"""The power-law surrogates against their formulas, written with Python's math."""

import pytest
import torch
from naming import shown
from surrogates import derivative_equals

from spikeframe import surrogate


@pytest.mark.parametrize(
    ("spike", "formula"),
    [
        (surrogate.SoftSign(), lambda u: 1 / (4 * (0.5 + abs(u)) ** 2)),
        (surrogate.SoftSign(5), lambda u: 1 / (10 * (0.2 + abs(u)) ** 2)),
        (surrogate.SuperSpike(), lambda u: 1 / (1 + abs(u)) ** 2),
        (surrogate.SuperSpike(10), lambda u: 1 / (1 + 10 * abs(u)) ** 2),
        (surrogate.FastSigmoid(), lambda u: 1 / (1 + 25 * abs(u)) ** 2),
        (surrogate.FastSigmoid(4), lambda u: 1 / (1 + 4 * abs(u)) ** 2),
        (surrogate.QPseudoSpike(), lambda u: (1 + 2 * abs(u)) ** -2.0),
        (surrogate.QPseudoSpike(1.5), lambda u: (1 + 4 * abs(u)) ** -1.5),
        (surrogate.NonzeroSignLogAbs(), lambda u: 1 / (1 + abs(u))),
        (surrogate.NonzeroSignLogAbs(4), lambda u: 1 / (0.25 + abs(u))),
        (surrogate.FakeNumericalGradient(), lambda u: min(1 / abs(u), 0.3) if u else 0.3),
        (surrogate.FakeNumericalGradient(2), lambda u: min(1 / abs(u), 2.0) if u else 2.0),
    ],
    ids=shown,
)
def test_derivative_is_the_formula(spike, formula):
    derivative_equals(spike, formula)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_fake_numerical_gradient_is_alpha_at_either_zero(dtype):
    u = torch.tensor([0.0, -0.0], dtype=dtype)
    alpha = torch.tensor([0.3, 0.3], dtype=dtype)
    torch.testing.assert_close(surrogate.FakeNumericalGradient().derivative(u), alpha)


@pytest.mark.parametrize(
    ("spike", "limit"),
    [
        (surrogate.SoftSign(spiking=False), (0.0, 1.0)),
        (surrogate.SuperSpike(2, spiking=False), (-0.5, 0.5)),
        (surrogate.FastSigmoid(4, spiking=False), (-0.25, 0.25)),
        (surrogate.QPseudoSpike(spiking=False), (0.0, 1.0)),
    ],
    ids=shown,
)
def test_primitive_has_its_limits(spike, limit):
    u = torch.tensor([-torch.inf, torch.inf], requires_grad=True)
    result = spike(u)
    torch.testing.assert_close(result, torch.tensor(limit))
    result.sum().backward()
    assert torch.equal(u.grad, torch.zeros(2))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: surrogate.SoftSign(0), "alpha must be greater than 0, got 0"),
        (lambda: surrogate.SuperSpike(-1), "alpha must be greater than 0, got -1"),
        (lambda: surrogate.FastSigmoid(-1), "slope must be greater than 0, got -1"),
        (lambda: surrogate.QPseudoSpike(1), "alpha must be greater than 1, got 1"),
        (lambda: surrogate.NonzeroSignLogAbs(0), "alpha must be greater than 0, got 0"),
        (lambda: surrogate.FakeNumericalGradient(0), "alpha must be greater than 0, got 0"),
    ],
)
def test_wrong_numbers_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
