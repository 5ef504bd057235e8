"""The current-based LIF: a hand table."""

import pytest
import torch

from spikeframe import neuron, surrogate

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_current_and_potential_by_hand():
    node = neuron.CUBALIFNode(step_mode="m", store_state_seqs=True)
    assert node(torch.tensor([[0.25], [0.25], [0.0]])).flatten().tolist() == [0, 1, 0]
    # c = 0.25, 0.375, 0.1875; v = 0.25, 0.1875 + 0.375 fires, 0.1875
    assert node.state_seqs["c"].flatten().tolist() == [0.25, 0.375, 0.1875]
    assert node.state_seqs["v"].flatten().tolist() == [0.25, 0.0, 0.1875]


def test_defaults_are_its_own():
    node = neuron.CUBALIFNode()
    assert isinstance(node.surrogate_function, surrogate.Rect)
    assert node.surrogate_function is not neuron.CUBALIFNode().surrogate_function
    assert node.v_threshold == 0.5


def test_a_current_without_memory_is_a_leaky_membrane():
    x_seq = torch.rand(30, 7, generator=torch.Generator().manual_seed(0))
    leaky = neuron.LIFNode(2.0, False, v_threshold=0.5, step_mode="m", backend="eager")
    node = neuron.CUBALIFNode(c_decay=0.0, v_decay=0.5, step_mode="m", backend="eager")
    assert torch.equal(node(x_seq), leaky(x_seq))
