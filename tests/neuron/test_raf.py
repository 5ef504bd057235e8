"""The resonate-and-fire neuron: a quarter turn by hand, and its resonance."""

import math

import pytest
import torch

from spikeframe import neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_a_quarter_turn_by_hand():
    half = math.log(0.5)
    node = neuron.RAFNode(b=half, omega=math.pi / 2, step_mode="m", store_state_seqs=True)
    assert not node(torch.tensor([[0.5], [1.0], [0.0], [0.0]])).any()
    # (u, v) turns to (-v, u), halved; x comes in at u
    u, v = node.state_seqs["u"].flatten(), node.state_seqs["v"].flatten()
    assert u.tolist() == pytest.approx([0.5, 1.0, -0.125, -0.25], abs=1e-6)
    assert v.tolist() == pytest.approx([0.0, 0.25, 0.5, -0.0625], abs=1e-6)


def test_a_spike_resets_v_and_leaves_u():
    node = neuron.RAFNode(omega=math.pi / 2, v_reset=-0.25)
    node(torch.tensor([5.0]))
    node(torch.tensor([0.0]))
    assert node.v.item() == -0.25
    assert node.u.item() == pytest.approx(0.0, abs=1e-6)
    node(torch.tensor([0.0]))
    assert node.u.item() == pytest.approx(math.exp(-0.2) * 0.25, abs=1e-6)


def test_it_answers_its_own_rhythm():
    counts = []
    for period in (4, 8, 16):
        node = neuron.RAFNode(b=-0.1, omega=2 * math.pi / 8, step_mode="m")
        counts.append(node((torch.arange(80) % period == 0).float() * 0.7).sum().item())
    assert counts[1] > 0
    assert counts[0] == counts[2] == 0
