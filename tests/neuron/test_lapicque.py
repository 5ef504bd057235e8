"""Lapicque's neuron: the circuit in its three forms, golden numbers, and what it refuses."""

import pytest
import torch
from cases import sequence

from spikeframe import neuron

CURRENT = torch.cat([torch.zeros(10, 1), torch.full((190, 1), 0.3)])


def test_golden_spikes_of_a_circuit():
    node = neuron.Lapicque(R=5, C=1e-3, time_step=1e-3, step_mode="m")
    assert node(CURRENT).sum() == 31


def test_more_current_or_a_lower_threshold_fires_more():
    def spikes(current, threshold):
        circuit = {"R": 5, "C": 1e-3, "time_step": 1e-3, "step_mode": "m"}
        return neuron.Lapicque(**circuit, threshold=threshold)(CURRENT * current).sum()

    assert spikes(0.5, 1.0) < spikes(1.0, 1.0) < spikes(2.0, 1.0)
    assert spikes(1.0, 1.3) < spikes(1.0, 1.0) < spikes(1.0, 0.7)


@pytest.mark.parametrize(
    "arguments", [{}, {"R": 1.0}, {"C": 2.0}, {"R": 3.0}, {"C": 0.5, "time_step": 0.25}]
)
def test_beta_is_the_decay(arguments):
    """The same circuit in R and C, where snnTorch takes another C from beta."""
    node = neuron.Lapicque(0.5, **arguments, reset_mechanism="none", store_v_seq=True)
    dt = arguments.get("time_step", 1.0)
    resistance = arguments.get("R", 2 * dt / arguments["C"] if "C" in arguments else 1.0)
    circuit = neuron.Lapicque(
        **{"R": resistance, "C": 2 * dt / resistance, "time_step": dt},
        reset_mechanism="none",
        store_v_seq=True,
    )
    x_seq = sequence((4,))
    node.step_mode = circuit.step_mode = "m"
    assert torch.equal(node(x_seq), circuit(x_seq))
    assert torch.allclose(node.mem_seq, circuit.mem_seq, rtol=1e-6)
    node.reset()
    node(torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0] * 4]))
    assert torch.allclose(node.mem_seq[1], 0.5 * node.mem_seq[0])


def test_beta_and_resistance_learn():
    node = neuron.Lapicque(0.5, R=torch.nn.Parameter(torch.tensor(2.0)), learn_beta="exp")
    node.step_mode = "m"
    for _ in range(2):  # snnTorch 1.0.0 raises in the second backward
        node.reset()
        node(sequence((4,))).sum().backward()
    assert node.beta_log_rate.grad.abs() > 0
    assert node.R.grad.abs() > 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "takes beta, or two of beta, R and C, got none: the third follows"),
        ({"R": 1}, "got R: the third"),
        ({"beta": 0.5, "R": 1, "C": 1}, "got beta and R and C"),
        ({"R": 1, "C": 1, "learn_beta": True}, "learn_beta needs a beta to start from, got None"),
        ({"R": -1, "C": 1}, "R must be finite and greater than 0, got -1"),
        ({"R": 1, "C": 1, "time_step": 2}, "time_step must not be longer than R C.*got time_ste"),
        ({"beta": 1.0}, "beta must be less than 1"),
    ],
)
def test_bad_circuits_say_what_is_allowed(arguments, text):
    with pytest.raises(ValueError, match=text):
        neuron.Lapicque(**arguments)


def test_print_shows_the_circuit():
    assert "R=5.0, C=0.001, time_step=0.001, threshold=1.0" in repr(
        neuron.Lapicque(R=5, C=1e-3, time_step=1e-3)
    )
