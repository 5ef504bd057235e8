"""The leaky neuron by hand, its golden numbers, and the neuron that fires at changes."""

import pytest
import torch
from cases import sequence

from spikeframe import neuron


def traces(node, inputs):
    node.store_v_seq, node.step_mode = True, "m"
    spikes = node(torch.tensor(inputs).unsqueeze(1))
    return spikes.flatten().tolist(), node.mem_seq.flatten().tolist()


# x = 0.6, beta = 0.9: what each reset makes of a constant input.
@pytest.mark.parametrize(
    ("arguments", "mem"),
    [
        ({}, [0.6, 1.14, 0.626, 1.1634]),
        ({"reset_mechanism": "zero"}, [0.6, 1.14, 0.6, 1.14]),
        ({"reset_mechanism": "none"}, [0.6, 1.14, 1.626, 2.0634]),
        ({"reset_delay": False}, [0.6, 0.14, 0.726, 0.2534]),
        ({"reset_delay": False, "reset_mechanism": "zero"}, [0.6, 0.0, 0.6, 0.0]),
    ],
)
def test_resets_by_hand(arguments, mem):
    spikes, seen = traces(neuron.Leaky(0.9, **arguments), [0.6] * 4)
    assert seen == pytest.approx(mem, abs=1e-6)
    assert spikes == ([0, 1, 1, 1] if arguments.get("reset_mechanism") == "none" else [0, 1, 0, 1])


def test_it_fires_above_the_threshold_only():
    assert traces(neuron.Leaky(0.5), [1.0, 0.75]) == ([0, 1], [1.0, 1.25])


def test_golden_spikes_of_a_constant_current():
    """The tutorial's neuron: decay 0.8, current 0.21 for 190 of 200 steps; 0-d inputs."""
    node, currents = neuron.Leaky(beta=0.8), torch.cat([torch.zeros(10), torch.full((190,), 0.21)])
    spikes, membranes = [], []
    for current in currents:
        spikes.append(node(current))
        membranes.append(node.mem)
    assert spikes[0].shape == ()
    assert torch.stack(spikes).sum() == 12
    assert torch.stack(membranes).max().item() == pytest.approx(1.0044, abs=5e-5)


def test_changes_fire_by_hand():
    node = neuron.DeltaLeaky(0.5, delta_threshold=1.0)
    # U = 1.5, 1.0, -1.0, -1.5; changes 1.5, -0.5, -2.0, -0.5
    assert traces(node, [1.5, 0.25, -1.5, -1.0]) == ([1, 0, 1, 0], [1.5, 1.0, -1.0, -1.5])
    assert node.delta_threshold == 1.0


def test_changes_have_the_gradient_of_the_surrogate():
    node = neuron.DeltaLeaky(0.5, 0.3, learn_threshold=True, step_mode="m", backend="torch")
    x_seq = sequence((4,)).requires_grad_()
    spikes = node(x_seq)
    spikes.sum().backward()
    x, u, total = x_seq.detach().double().requires_grad_(), torch.zeros(4).double(), 0.0
    for step in x:
        v = 0.5 * u + step
        total, u = total + node.surrogate_function((v - u).abs() - 0.3).sum(), v
    total.backward()
    assert torch.allclose(x_seq.grad.double(), x.grad, atol=1e-6)
    assert node.threshold.grad < 0
    assert torch.equal(spikes.detach().sum(), total.detach().float())


def test_changes_have_no_reset():
    with pytest.raises(TypeError, match="takes no reset_mechanism, which is 'none' here"):
        neuron.DeltaLeaky(0.5, reset_mechanism="zero")
    with pytest.raises(ValueError, match="delta_threshold must be finite and greater than 0, got"):
        neuron.DeltaLeaky(0.5, 0.0)
