"""The one-sided surrogates against their formulas, written with Python's math."""

import math

import pytest
import torch
from naming import shown
from surrogates import derivative_equals

from spikeframe import surrogate


def s2nn(u, alpha, beta):
    s = 1 / (1 + math.exp(-alpha * u))
    return alpha * s * (1 - s) if u < 0 else beta / (u + 1)


def log_tailed(u, alpha):
    return alpha if u <= 0 else min(1, 1 / u)


@pytest.mark.parametrize(
    ("spike", "formula"),
    [
        (surrogate.HeavisideGradient(), lambda u: float(u >= 0)),
        (surrogate.HeavisideGradient(strict=True), lambda u: float(u > 0)),
        (surrogate.LeakyKReLU(), lambda u: float(u >= 0)),
        (surrogate.LeakyKReLU(0.2, 3), lambda u: 3 if u >= 0 else 0.2),
        (surrogate.LeakyKReLU(0.2, 3, strict=True), lambda u: 3 if u > 0 else 0.2),
        (surrogate.LeakySpikeOperator(), lambda u: 1 if u >= 0 else 0.1),
        (surrogate.LeakySpikeOperator(0.4, strict=True), lambda u: 1 if u > 0 else 0.4),
        (surrogate.LogTailedReLU(), lambda u: log_tailed(u, 0)),
        (surrogate.LogTailedReLU(0.3), lambda u: log_tailed(u, 0.3)),
        (surrogate.S2NN(), lambda u: s2nn(u, 4, 1)),
        (surrogate.S2NN(2, 0.5), lambda u: s2nn(u, 2, 0.5)),
        (surrogate.StochasticSpikeOperator(0, 0), lambda u: float(u >= 0)),
    ],
    ids=shown,
)
def test_derivative_is_the_formula(spike, formula):
    derivative_equals(spike, formula)


def test_stochastic_noise_is_uniform_below_the_threshold():
    torch.manual_seed(0)
    spike = surrogate.StochasticSpikeOperator(mean=1.0, variance=0.2)
    u = torch.full((20000,), -1.0, requires_grad=True)
    spike(u).sum().backward()
    assert 0.1 <= u.grad.min() < 0.102
    assert 0.298 < u.grad.max() < 0.3
    assert abs(u.grad.mean() - 0.2) < 0.002
    assert abs(u.grad.std() - 0.2 / math.sqrt(12)) < 0.001


def test_stochastic_defaults_and_seed():
    spike, u = surrogate.StochasticSpikeOperator(), torch.tensor([-1.0, -2.0, 1.0])
    torch.manual_seed(3)
    first = spike.derivative(u)
    torch.manual_seed(3)
    noise = torch.rand(3) - 0.5
    torch.testing.assert_close(first, torch.cat([0.2 * noise[:2], torch.ones(1)]))
    assert not torch.equal(first, spike.derivative(u))


@pytest.mark.parametrize(
    ("spike", "expected"),
    [
        (surrogate.LogTailedReLU(0.5, False), [-1.0, 0.5, 1.0, 1 + math.log(4)]),
        (surrogate.LeakyKReLU(0.5, 3, False), [-1.0, 1.5, 3.0, 12.0]),
        (
            surrogate.S2NN(4, 2, False),
            [1 / (1 + math.exp(8)), 0.5 + 2 * math.log(1.5), None, None],
        ),
    ],
    ids=shown,
)
def test_primitive_values(spike, expected):
    result = spike(torch.tensor([-2.0, 0.5, 1.0, 4.0], dtype=torch.float64))
    for value, wanted in zip(result.tolist(), expected, strict=True):
        assert wanted is None or value == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: surrogate.LeakyKReLU(-0.1), ValueError, "leak must be at least 0, got -0.1"),
        (lambda: surrogate.LeakyKReLU(0, -1), ValueError, "k must be at least 0, got -1"),
        (lambda: surrogate.LeakyKReLU(True, 0.1), TypeError, "leak must be a number, got True"),
        (lambda: surrogate.LeakySpikeOperator(-1), ValueError, "slope must be at least 0, got -1"),
        (lambda: surrogate.LogTailedReLU(-1), ValueError, "alpha must be at least 0, got -1"),
        (lambda: surrogate.S2NN(0), ValueError, "alpha must be greater than 0, got 0"),
        (lambda: surrogate.S2NN(1, 0), ValueError, "beta must be greater than 0, got 0"),
        (
            lambda: surrogate.StochasticSpikeOperator(torch.inf),
            ValueError,
            "mean must be a finite number, got inf",
        ),
        (
            lambda: surrogate.StochasticSpikeOperator(0, -1),
            ValueError,
            "variance must be at least 0, got -1",
        ),
    ],
)
def test_wrong_numbers_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()
