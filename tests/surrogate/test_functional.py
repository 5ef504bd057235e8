"""The lower-case names."""

import pytest
import torch

from spikeframe import surrogate

PAIRS = [
    ("atan", "ATan"),
    ("deterministic_pass", "DeterministicPass"),
    ("erf", "Erf"),
    ("fake_numerical_gradient", "FakeNumericalGradient"),
    ("leaky_k_relu", "LeakyKReLU"),
    ("log_tailed_relu", "LogTailedReLU"),
    ("nonzero_sign_log_abs", "NonzeroSignLogAbs"),
    ("piecewise_exp", "PiecewiseExp"),
    ("piecewise_leaky_relu", "PiecewiseLeakyReLU"),
    ("piecewise_quadratic", "PiecewiseQuadratic"),
    ("poisson_pass", "PoissonPass"),
    ("q_pseudo_spike", "QPseudoSpike"),
    ("rect", "Rect"),
    ("s2nn", "S2NN"),
    ("sigmoid", "Sigmoid"),
    ("soft_sign", "SoftSign"),
    ("squarewave_fourier_series", "SquarewaveFourierSeries"),
    ("super_spike", "SuperSpike"),
]


@pytest.mark.parametrize(("name", "cls"), PAIRS)
def test_function_is_the_class_applied(name, cls):
    function, spike = getattr(surrogate, name), getattr(surrogate, cls)()
    values = [getattr(spike, parameter) for parameter in spike.parameter_names]
    u = torch.tensor([0.0, 0.2, 1.0])
    for call in (function, function.apply):
        x = u.clone().requires_grad_()
        spikes = call(x, *values)
        if name != "poisson_pass":
            assert torch.equal(spikes.detach(), torch.ones(3))
        spikes.sum().backward()
        assert torch.equal(x.grad, spike.derivative(u))


def test_arguments_reach_the_surrogate():
    x = torch.zeros(1, requires_grad=True)
    surrogate.atan.apply(x, 6.0).backward()
    assert x.grad == 3.0
    assert surrogate.atan(x, alpha=1, strict=True) == 0
    assert repr(surrogate.atan) == "SpikeFunction(ATan)"
