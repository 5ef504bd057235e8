"""Surrogates by factory and by the names of old: snnTorch's defaults, and no spike at 0."""

import pickle

import pytest
import torch

from spikeframe import surrogate as native
from spikeframe.compat.snntorch import surrogate

# A factory; its old name; numbers that are not its defaults; what it makes of them and of none.
CASES = {
    "atan": ("ATan", (3.0,), native.ATan, (2.0,)),
    "fast_sigmoid": ("FastSigmoid", (10.0,), native.FastSigmoid, (25.0,)),
    "sigmoid": ("Sigmoid", (10.0,), native.Sigmoid, (25.0,)),
    "straight_through_estimator": (
        "StraightThroughEstimator",
        (),
        native.StraightThroughEstimator,
        (),
    ),
    "heaviside": ("Heaviside", (), native.HeavisideGradient, ()),
    "triangular": ("Triangular", (2.0,), native.Triangular, (1.0,)),
    "spike_rate_escape": ("SpikeRateEscape", (2.0, 10.0), native.SpikeRateEscape, (1.0, 25.0)),
    "SSO": ("StochasticSpikeOperator", (0.5, 0.3), native.StochasticSpikeOperator, (0.0, 0.2)),
    "LSO": ("LeakySpikeOperator", (0.3,), native.LeakySpikeOperator, (0.1,)),
    "SFS": ("SparseFastSigmoid", (10.0, 0.5), native.SparseFastSigmoid, (25.0, 1.0)),
}
U = torch.linspace(-1, 1, 9)


def spikes_and_grad(function):
    torch.manual_seed(0)
    u = U.clone().requires_grad_()
    spikes = function(u)
    return spikes.detach(), torch.autograd.grad(spikes.sum(), u)[0]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("default", [False, True])
def test_factories_and_old_names_are_the_natives(name, default):
    old, numbers, kind, defaults = CASES[name]
    given = () if default else numbers
    made = getattr(surrogate, name)(*given)
    assert type(made) is kind
    expected = spikes_and_grad(kind(*(defaults if default else numbers), strict=True))
    assert torch.equal(expected[0], (U > 0).float())
    for function in (
        made,
        lambda u: getattr(surrogate, old).apply(u, *given),
        pickle.loads(pickle.dumps(made)),
    ):
        assert all(map(torch.equal, spikes_and_grad(function), expected))


def test_a_gradient_of_ones_own():
    made = surrogate.custom_surrogate(lambda u, grad, spikes: grad * (u + 10 * spikes))
    spikes, grad = spikes_and_grad(made)
    assert spikes[4] == 0
    assert torch.equal(grad, U + 10 * (U > 0))


def test_surrogates_by_factory_and_by_old_names():
    u = torch.linspace(-1, 1, 9, requires_grad=True)
    pairs = [
        (surrogate.fast_sigmoid(10), lambda x: surrogate.FastSigmoid.apply(x, 10)),
        (surrogate.atan(), surrogate.ATan.apply),
        (surrogate.straight_through_estimator(), surrogate.StraightThroughEstimator.apply),
    ]
    for factory, applied in pairs:
        grads = [torch.autograd.grad(f(u).sum(), u)[0] for f in (factory, applied)]
        assert torch.equal(*grads)
        assert factory(u)[4] == 0  # at the threshold it does not fire
