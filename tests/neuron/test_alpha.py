"""The alpha neuron: its impulse response, and what it refuses."""

import pytest
import torch
from cases import sequence

from spikeframe import neuron


def test_golden_response_to_an_impulse():
    node = neuron.Alpha(alpha=0.9, beta=0.8, step_mode="m", store_v_seq=True)
    x_seq = torch.zeros(6, 1)
    x_seq[0] = 0.85
    assert not node(x_seq).any()
    expected = [0, 0.161, 0.274, 0.349, 0.397, 0.423]
    assert node.mem_seq.flatten().tolist() == pytest.approx(expected, abs=6e-4)


def test_alpha_learns():
    """snnTorch 1.0.0 raises a TypeError instead."""
    node = neuron.Alpha(0.9, 0.6, learn_alpha=True, learn_beta=True, step_mode="m")
    node(4 * sequence((5,), T=12)).sum().backward()
    assert node.alpha.grad.abs() > 0
    assert node.beta.grad.abs() > 0


@pytest.mark.parametrize("backend", ["eager", "torch"])
@pytest.mark.parametrize("decays", [(1.3, 0.6), (1.3, 1.2), (0.9, -0.1), (-0.2, -0.1), (0.7, 0.7)])
def test_decays_that_learning_pushed_over_a_border_stay_finite(decays, backend):
    node = neuron.Alpha(0.9, 0.6, learn_alpha=True, learn_beta=True, step_mode="m")
    node.backend = backend
    with torch.no_grad():
        node.alpha.fill_(decays[0])
        node.beta.fill_(decays[1])
    (node(4 * sequence((5,), T=12)).sum() + node.mem.sum()).backward()
    assert node.mem.isfinite().all()
    for parameter in node.parameters():
        assert parameter.grad.isfinite()
        assert parameter.grad != 0


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_a_threshold_that_is_never_reached_is_not_subtracted(reset):
    node = neuron.Alpha(0.9, 0.6, threshold=float("inf"), reset_mechanism=reset, step_mode="m")
    never = neuron.Alpha(0.9, 0.6, reset_mechanism="none", step_mode="m")
    x_seq = sequence((5,))
    assert not node(x_seq).any()
    never(x_seq)
    assert torch.equal(node.mem, never.mem)


def test_a_reset_to_zero_empties_all_states():
    node = neuron.Alpha(0.9, 0.6)
    for x in (3.0, 0.0, 0.0):
        spike = node(torch.tensor([x]))
    assert spike.item() == 0.0
    assert node.mem.item() == node.syn_exc.item() == node.syn_inh.item() == 0.0


@pytest.mark.parametrize(
    ("alpha", "beta", "text"),
    [
        (0.5, 0.5, "alpha must be greater than beta, and beta greater than 0, got alpha from 0.5"),
        (0.9, 0.0, "and beta greater than 0, got alpha from 0.9 and beta from 0 to 0"),
        (torch.tensor([0.9, 0.5]), 0.6, "alpha from 0.5 and beta from 0.6"),
        (1.1, 0.9, r"alpha must be in \[0, 1\]"),
    ],
)
def test_the_excitation_must_outlast_the_inhibition(alpha, beta, text):
    with pytest.raises(ValueError, match=text):
        neuron.Alpha(alpha, beta)


def test_it_resets_in_the_next_step_only():
    with pytest.raises(TypeError, match="Alpha takes no reset_delay, which is True here al"):
        neuron.Alpha(0.9, 0.6, reset_delay=False)
