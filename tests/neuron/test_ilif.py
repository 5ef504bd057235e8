"""Integer spikes: a hand table."""

import pytest
import torch

from spikeframe import neuron, surrogate

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_counts_by_hand():
    node = neuron.ILIFNode(v_threshold=0.5, step_mode="m", store_v_seq=True)
    # h / 0.5 = 0.8, 5.2 -> 4, -2 -> 0, 2.5 rounded to even
    x_seq = torch.tensor([[0.4], [2.625], [-1.15625], [1.5]])
    assert node(x_seq).flatten().tolist() == [1, 4, 0, 2]
    found = node.v_seq.flatten()
    assert torch.allclose(found, torch.tensor([-0.1, 0.6, -1.00625, 0.2484375]), atol=1e-6)


def test_more_spikes_at_most():
    node = neuron.ILIFNode(surrogate_function=surrogate.MultiLevelSpikeCount(9), step_mode="m")
    assert node(torch.tensor([[20.0]])).item() == 9
