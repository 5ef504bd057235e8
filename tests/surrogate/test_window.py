"""The surrogates with a window against their formulas, written with Python's math."""

import pytest
import torch
from naming import shown
from surrogates import derivative_equals

from spikeframe import surrogate


@pytest.mark.parametrize(
    ("spike", "formula"),
    [
        (surrogate.PiecewiseQuadratic(), lambda u: max(0, 1 - abs(u))),
        (surrogate.PiecewiseQuadratic(2), lambda u: max(0, 2 - 4 * abs(u))),
        (surrogate.Triangular(), lambda u: max(0, 1 - abs(u))),
        (surrogate.Triangular(threshold=2), lambda u: max(0, 1 - abs(u) / 2)),
        (surrogate.Rect(), lambda u: 1 if abs(u) < 0.5 else 0),
        (surrogate.Rect(0.25), lambda u: 0.25 if abs(u) < 2 else 0),
        (surrogate.PiecewiseLeakyReLU(), lambda u: 0.5 if abs(u) < 1 else 0.01),
        (surrogate.PiecewiseLeakyReLU(0.5, 0), lambda u: 1 if abs(u) < 0.5 else 0),
        (
            surrogate.SparseFastSigmoid(),
            lambda u: 1 / (1 + 25 * abs(u)) ** 2 if abs(u) < 1 else 0,
        ),
        (
            surrogate.SparseFastSigmoid(2, 0.5),
            lambda u: 1 / (1 + 2 * abs(u)) ** 2 if abs(u) < 0.5 else 0,
        ),
    ],
    ids=shown,
)
def test_derivative_is_the_formula(spike, formula):
    derivative_equals(spike, formula)


@pytest.mark.parametrize(
    "spike",
    [surrogate.PiecewiseQuadratic(3), surrogate.Rect(3), surrogate.PiecewiseLeakyReLU(3, 0)],
    ids=shown,
)
def test_area_is_one(spike):
    spike.set_spiking_mode(False)
    ends = torch.tensor([-torch.inf, 0, torch.inf])
    torch.testing.assert_close(spike(ends), torch.tensor([0, 0.5, 1]))


def test_leak_is_unbounded_outside():
    spike = surrogate.PiecewiseLeakyReLU(w=2, c=0.5, spiking=False)
    u = torch.tensor([-torch.inf, -4, 4, torch.inf])
    result = spike(u)
    torch.testing.assert_close(result[1:3], torch.tensor([-1.0, 2.0]))
    assert result[0] < -1e38
    assert result[3] > 1e38


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: surrogate.PiecewiseQuadratic(0), "alpha must be greater than 0, got 0"),
        (lambda: surrogate.Triangular(0), "threshold must be greater than 0, got 0"),
        (lambda: surrogate.Rect(-1), "alpha must be greater than 0, got -1"),
        (lambda: surrogate.PiecewiseLeakyReLU(0), "w must be greater than 0, got 0"),
        (lambda: surrogate.PiecewiseLeakyReLU(c=-1), "c must be at least 0, got -1"),
        (lambda: surrogate.SparseFastSigmoid(0), "slope must be greater than 0, got 0"),
        (lambda: surrogate.SparseFastSigmoid(B=0), "B must be greater than 0, got 0"),
    ],
)
def test_wrong_numbers_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
