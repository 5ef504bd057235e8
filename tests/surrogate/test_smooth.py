"""The smooth surrogates against their formulas, written with Python's math."""

import math

import pytest
import torch
from naming import shown
from surrogates import derivative_equals

from spikeframe import surrogate

PI = math.pi


def logistic(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("spike", "formula"),
    [
        (surrogate.Sigmoid(), lambda u: 4 * logistic(4 * u) * (1 - logistic(4 * u))),
        (surrogate.Sigmoid(2.5), lambda u: 2.5 * logistic(2.5 * u) * (1 - logistic(2.5 * u))),
        (surrogate.ATan(), lambda u: 1 / (1 + (PI * u) ** 2)),
        (surrogate.ATan(3), lambda u: 1.5 / (1 + (1.5 * PI * u) ** 2)),
        (surrogate.Erf(), lambda u: 2 / math.sqrt(PI) * math.exp(-4 * u * u)),
        (surrogate.Erf(0.5), lambda u: 0.5 / math.sqrt(PI) * math.exp(-0.25 * u * u)),
        (surrogate.SquarewaveFourierSeries(), lambda u: math.cos(PI / 4 * u) / 2),
        (
            surrogate.SquarewaveFourierSeries(4, 2 * PI),
            lambda u: 2 / PI * (math.cos(u) + math.cos(3 * u) + math.cos(5 * u)),
        ),
    ],
    ids=shown,
)
def test_derivative_is_the_formula(spike, formula):
    derivative_equals(spike, formula)


@pytest.mark.parametrize("slope", [25.0, 1e3, 1e6])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_sigmoid_is_finite_at_any_slope(slope, dtype):
    u = torch.tensor([-1e4, -100.0, -3.6, -1.0, 1.0, 3.6, 100.0, 1e4], dtype=dtype)
    derivative = surrogate.Sigmoid(slope).derivative(u)
    assert derivative.isfinite().all()
    assert (derivative[u.abs() > 50] == 0).all()


@pytest.mark.parametrize("n", [2, 3, 9])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_fourier_series_vanishes_where_its_phase_overflows(n, dtype):
    largest = torch.finfo(dtype).max
    u = torch.tensor([torch.inf, -torch.inf, largest, -largest], dtype=dtype)
    spike = surrogate.SquarewaveFourierSeries(n, T_period=1.0)
    assert (spike.derivative(u) == 0).all()
    assert (spike.primitive(u) == 0.5).all()


def test_fourier_series_keeps_nan():
    assert surrogate.SquarewaveFourierSeries().derivative(torch.tensor([torch.nan])).isnan()


@pytest.mark.parametrize("cls", [surrogate.Sigmoid, surrogate.ATan, surrogate.Erf])
@pytest.mark.parametrize(
    ("alpha", "error", "text"),
    [
        (0, ValueError, "alpha must be greater than 0, got 0"),
        (-1.0, ValueError, "alpha must be greater than 0, got -1.0"),
        (torch.nan, ValueError, "alpha must be a finite number, got nan"),
        (torch.inf, ValueError, "alpha must be a finite number, got inf"),
        ("2", TypeError, "alpha must be a number, got '2'"),
        (True, TypeError, "alpha must be a number, got True"),
    ],
)
def test_wrong_alpha_is_refused(cls, alpha, error, text):
    with pytest.raises(error, match=text):
        cls(alpha)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((1,), ValueError, "n must be at least 2, got 1"),
        ((2.0,), TypeError, "n must be an int, got 2.0"),
        ((2, 0.0), ValueError, "T_period must be greater than 0, got 0.0"),
    ],
)
def test_wrong_series_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        surrogate.SquarewaveFourierSeries(*arguments)
