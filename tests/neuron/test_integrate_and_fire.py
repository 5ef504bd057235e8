"""The integrate-and-fire neuron: hand tables."""

import pytest
import torch

from spikeframe import neuron


@pytest.mark.parametrize(
    ("arguments", "spikes", "voltages"),
    [
        # 0.375, 0.75, 1.125 fires and is put to 0, 0.375, ...
        ({}, [0, 0, 1, 0, 0, 1], [0.375, 0.75, 0.0, 0.375, 0.75, 0.0]),
        # ... or less 1: 0.125, 0.5, 0.875, 1.25 fires
        ({"v_reset": None}, [0, 0, 1, 0, 0, 1], [0.375, 0.75, 0.125, 0.5, 0.875, 0.25]),
        # from -0.25: 0.125, 0.5, 0.875, 1.25 fires and is put to -0.25
        ({"v_reset": -0.25}, [0, 0, 0, 1, 0, 0], [0.125, 0.5, 0.875, -0.25, 0.125, 0.5]),
        ({"v_threshold": 0.75}, [0, 1, 0, 1, 0, 1], [0.375, 0.0, 0.375, 0.0, 0.375, 0.0]),
    ],
)
def test_constant_input_by_hand(arguments, spikes, voltages):
    node = neuron.IFNode(**arguments, step_mode="m", store_v_seq=True)
    assert node(torch.full((6, 1), 0.375)).flatten().tolist() == spikes
    assert node.v_seq.flatten().tolist() == voltages


def test_negative_input_lowers_the_potential_without_limit():
    node = neuron.IFNode(step_mode="m")
    assert not node(torch.full((100, 2), -1.0)).any()
    assert node.v.tolist() == [-100.0, -100.0]
