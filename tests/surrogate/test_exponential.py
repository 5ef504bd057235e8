"""The exponential surrogates against their formulas, written with Python's math."""

import math

import pytest
import torch
from naming import shown
from surrogates import derivative_equals

from spikeframe import surrogate


@pytest.mark.parametrize(
    ("spike", "formula"),
    [
        (surrogate.PiecewiseExp(), lambda u: math.exp(-abs(u)) / 2),
        (surrogate.PiecewiseExp(3), lambda u: 1.5 * math.exp(-3 * abs(u))),
        (surrogate.SpikeRateEscape(), lambda u: 25 * math.exp(-abs(u))),
        (surrogate.SpikeRateEscape(2, 7), lambda u: 7 * math.exp(-2 * abs(u))),
    ],
    ids=shown,
)
def test_derivative_is_the_formula(spike, formula):
    derivative_equals(spike, formula)


def test_primitive_of_piecewise_exp_goes_from_0_to_1():
    u = torch.tensor([-torch.inf, 0.0, torch.inf])
    result = surrogate.PiecewiseExp(spiking=False)(u)
    assert torch.equal(result, torch.tensor([0.0, 0.5, 1.0]))


def test_escape_peaks_at_the_threshold():
    u = torch.linspace(-2, 2, 41)
    assert u[surrogate.SpikeRateEscape().derivative(u).argmax()].abs() < 1e-6


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: surrogate.PiecewiseExp(-2), "alpha must be greater than 0, got -2"),
        (lambda: surrogate.SpikeRateEscape(beta=0), "beta must be greater than 0, got 0"),
        (lambda: surrogate.SpikeRateEscape(slope=-1), "slope must be greater than 0, got -1"),
    ],
)
def test_wrong_numbers_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
