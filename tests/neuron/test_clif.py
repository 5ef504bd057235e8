"""The complementary potential: a hand table."""

import math

import pytest
import torch

from spikeframe import neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_potentials_by_hand():
    node = neuron.ComplementaryLIFNode(step_mode="m", store_state_seqs=True)
    assert node(torch.tensor([[1.5], [0.75]])).flatten().tolist() == [1, 0]
    # m = 0 sigmoid(0.75) + 1; v = 1.5 - 1 - sigmoid(1); h = v / 2 + 0.75; m sigmoid(h / 2)
    v = 0.5 - 1 / (1 + math.exp(-1))
    h = v / 2 + 0.75
    assert node.state_seqs["v"].flatten().tolist() == pytest.approx([v, h])
    assert node.state_seqs["m"].flatten().tolist() == pytest.approx(
        [1, 1 / (1 + math.exp(-h / 2))]
    )


def test_a_readout_stays_finite():
    node = neuron.ComplementaryLIFNode(v_threshold=float("inf"), step_mode="m")
    node(torch.ones(5, 2))
    assert node.v.isfinite().all()
