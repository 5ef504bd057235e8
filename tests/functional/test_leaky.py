"""The leaky neuron of the tutorials: decay and explicit step."""

import math

import pytest
import torch
from cases import sequence

from spikeframe import functional, neuron, surrogate


@pytest.mark.parametrize("method", ["exp", "euler"])
@pytest.mark.parametrize("tau", [1.5, 2, 5e3, torch.tensor([1.5, 20.0], dtype=torch.float64)])
def test_decay_and_time_constant_are_inverse(tau, method):
    beta = functional.tau_to_beta(tau, method=method)
    back = functional.beta_to_tau(beta, method=method)
    expected = torch.as_tensor(tau, dtype=torch.float64)
    torch.testing.assert_close(torch.as_tensor(back, dtype=torch.float64), expected)


def test_decay_by_hand():
    assert functional.tau_to_beta(5e-3, 1e-3) == pytest.approx(math.exp(-0.2))
    assert functional.tau_to_beta(5e-3, 1e-3, method="euler") == pytest.approx(0.8)
    assert functional.beta_to_tau(math.exp(-0.2), 1e-3) == pytest.approx(5e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: functional.tau_to_beta(0.0),
            "tau greater than 0 for method='exp', got tau=0.0",
        ),
        (lambda: functional.tau_to_beta(1.0, method="euler"), "tau greater than dt"),
        (lambda: functional.tau_to_beta(2.0, 0.0), "dt must be greater than 0"),
        (lambda: functional.tau_to_beta(2.0, method="rk4"), "'exp' or 'euler', got 'rk4'"),
        (lambda: functional.beta_to_tau(1.0), "beta must be greater than 0 and less than 1"),
        (
            lambda: functional.lif_step(torch.ones(1), torch.ones(1), 0.5, fire_on="both"),
            "fire_on must be 'pre' or 'post', got 'both'",
        ),
    ],
)
def test_errors_say_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_tutorials_neuron_fires_fourteen_times():
    """w = 0.4, beta = 0.819, a current of 0.5 from step 10 on, 200 steps: on the old potential."""
    v, spikes, highest = torch.zeros(1), 0, 0.0
    for t in range(200):
        current = torch.tensor([0.4 * 0.5 if t >= 10 else 0.0])
        s, v = functional.lif_step(current, v, 0.819, fire_on="pre")
        spikes, highest = spikes + int(s), max(highest, v.item())
    assert spikes == 14
    assert highest == pytest.approx(1.0066, abs=1e-4)


def test_firing_after_the_input_is_the_soft_reset_lif():
    x_seq = sequence((3,))
    spike = surrogate.ATan(strict=True)
    node = neuron.LIFNode(
        2.0, decay_input=False, v_reset=None, surrogate_function=spike, step_mode="m"
    )
    v, spikes = torch.zeros(3), []
    for x in x_seq:
        s, v = functional.lif_step(x, v, 0.5, spike=spike)
        spikes.append(s)
    assert torch.equal(torch.stack(spikes), node(x_seq))
    assert torch.equal(v, node.v)


def test_the_explicit_step_is_differentiable():
    x = torch.tensor([0.5], requires_grad=True)
    s, v = functional.lif_step(x, torch.zeros(1), 0.5, spike=surrogate.ATan())
    (s + v).sum().backward()
    slope = 1 / (1 + (math.pi * 0.5) ** 2)
    assert x.grad.item() == pytest.approx(slope + 1 - slope)
