"""The leaky integrate-and-fire neuron: hand tables and its own arguments."""

import math

import pytest
import torch

from spikeframe import neuron


def run(node, inputs):
    spikes, voltages = [], []
    for x in inputs:
        spikes.append(node(torch.tensor([x])).item())
        voltages.append(node.v.item())
    return spikes, voltages


def test_hard_reset_by_hand():
    # tau 2: h = v + (x - v)/2 = 0.75, 1.125 (fires), 0.75, 1.125 (fires)
    assert run(neuron.LIFNode(tau=2.0), [1.5] * 4) == ([0, 1, 0, 1], [0.75, 0.0, 0.75, 0.0])


def test_soft_reset_by_hand():
    # h = 0.75, 1.125 -> 0.125, 0.8125, 1.15625 -> 0.15625
    spikes, voltages = run(neuron.LIFNode(tau=2.0, v_reset=None), [1.5] * 4)
    assert spikes == [0, 1, 0, 1]
    assert voltages == [0.75, 0.125, 0.8125, 0.15625]


def test_input_not_decayed_by_hand():
    # h = v - v/2 + x = 0.5, 0.75, 0.875, 0.9375, then x = 1: 1.46875 (fires)
    node = neuron.LIFNode(tau=2.0, decay_input=False)
    spikes, voltages = run(node, [0.5] * 4 + [1.0])
    assert spikes == [0, 0, 0, 0, 1]
    assert voltages == [0.5, 0.75, 0.875, 0.9375, 0.0]


def test_leak_is_towards_the_reset_potential():
    _, voltages = run(neuron.LIFNode(tau=2.0, v_reset=-0.5, decay_input=False), [0.5, 0.0, 0.0])
    assert voltages == [0.0, -0.25, -0.375]


def test_it_fires_at_the_threshold_exactly():
    assert run(neuron.IFNode(), [0.5, 0.5]) == ([0, 1], [0.5, 0.0])


@pytest.mark.parametrize(
    ("tau", "text"),
    [
        (1, "tau must be finite and greater than 1 .in time steps., got 1.0: tau = 1 forgets"),
        (0.5, "got 0.5: tau = 1 forgets everything"),
        (-2, "greater than 1 .* got -2.0"),
        (float("inf"), "must be finite .* got inf: for a membrane without leak use IFNode"),
        (torch.tensor([2.0, 1.0]), r"got tensor\[2\] with values from 1.0 to 2.0: tau = 1"),
    ],
)
@pytest.mark.parametrize("make", [neuron.LIFNode, neuron.ParametricLIFNode])
def test_a_time_constant_is_greater_than_one(make, tau, text):
    with pytest.raises(ValueError, match=text):
        make(tau)


@pytest.mark.parametrize("make", [neuron.LIFNode, neuron.ParametricLIFNode])
def test_types_are_checked(make):
    with pytest.raises(TypeError, match=r"tau must be a number.*got '2' \(str\)"):
        make("2")
    with pytest.raises(TypeError, match="decay_input must be True or False, got None"):
        make(2.0, decay_input=None)


def test_print_is_spikingjellys_and_the_decay():
    assert repr(neuron.LIFNode(3)) == (
        "LIFNode(\n  v_threshold=1.0, v_reset=0.0, detach_reset=False, step_mode=s, backend=auto, "
        "tau=3.0, decay_input=True\n  (surrogate_function): Sigmoid(alpha=4.0, spiking=True)\n)"
    )


@pytest.mark.parametrize("method", ["euler", "exp"])
def test_a_circuit_has_its_decay(method):
    """5 ohms and a millifarad, steps of a millisecond, 0.3 amperes."""
    node = neuron.LIFNode.from_rc(5.0, 1e-3, 1e-3, method=method, v_threshold=9.0)
    decay = 0.8 if method == "euler" else math.exp(-0.2)
    v = 0.0
    for _ in range(20):
        node(torch.tensor([5.0 * 0.3]))
        v = decay * v + (1 - decay) * 1.5
    assert node.v.item() == pytest.approx(v, rel=1e-5)


def test_a_circuit_is_checked():
    for arguments, message in (
        ((0.0, 1.0), "r must be finite and greater than 0, got 0.0"),
        ((1.0, -1.0), "c must be finite and greater than 0"),
        ((1.0, 1.0, 0.0), "dt must be finite and greater than 0"),
        ((1.0, 1.0, 2.0), "tau must be finite and greater than 1"),
    ):
        with pytest.raises(ValueError, match=message):
            neuron.LIFNode.from_rc(*arguments)
    with pytest.raises(ValueError, match="method must be 'euler' or 'exp', got 'rk4'"):
        neuron.LIFNode.from_rc(1.0, 1.0, method="rk4")
    assert neuron.LIFNode.from_rc(1.0, 1.0, 2.0, method="exp").tau > 1
