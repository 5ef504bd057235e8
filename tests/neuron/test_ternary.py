"""Spikes of both signs: hand tables."""

import pytest
import torch

from spikeframe import neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.mark.parametrize(
    ("v_reset", "spikes", "voltages"),
    [
        # 0.25 + 0.625, 1.625 fires, 0.25 - 1, -1.75 fires
        (0.25, [0, 1, 0, -1], [0.875, 0.25, -0.75, 0.25]),
        # 0.625, 1.375 less 1, -0.625, -1.625 and 1
        (None, [0, 1, 0, -1], [0.625, 0.375, -0.625, -0.625]),
    ],
)
def test_both_signs_by_hand(v_reset, spikes, voltages):
    node = neuron.TernaryIFNode(v_reset=v_reset, step_mode="m", store_v_seq=True)
    assert node(torch.tensor([[0.625], [0.75], [-1.0], [-1.0]])).flatten().tolist() == spikes
    assert node.v_seq.flatten().tolist() == voltages


def test_leak_by_hand():
    node = neuron.TernaryLIFNode(tau=2.0, step_mode="m", store_v_seq=True)
    assert node(torch.tensor([[-1.0], [-1.5], [-2.0]])).flatten().tolist() == [0, -1, -1]
    assert node.v_seq.flatten().tolist() == [-0.5, 0.0, 0.0]


def test_a_mirrored_input_gives_mirrored_spikes():
    x_seq = torch.randn(50, 9, generator=torch.Generator().manual_seed(0)) * 2
    up, down = (neuron.TernaryLIFNode(step_mode="m")(x) for x in (x_seq, -x_seq))
    assert torch.equal(up, -down)
    assert set(up.unique().tolist()) == {-1.0, 0.0, 1.0}
