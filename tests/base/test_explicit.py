"""States as values: read, saved, restored, streamed."""

import pytest
import torch
from cases import NEURONS, sequence
from torch import nn

from spikeframe import base, neuron


def net_of(*cases):
    return nn.Sequential(*(nn.Sequential(nn.Identity(), case(step_mode="m")) for case in cases))


def test_memories_are_listed_in_the_trees_order():
    net = net_of(*NEURONS[:3])
    assert dict(base.named_memories(net)) == {"0.1.v": 0.0, "1.1.v": 0.0, "2.1.v": 0.0}
    assert next(base.named_memories(net, prefix="net"))[0] == "net.0.1.v"
    assert list(base.memories(net)) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_states_can_be_saved_and_restored(case):
    net, x_seq = net_of(case, case), sequence((3,))
    net(x_seq)
    saved = base.extract_memories(net)
    expected = net(x_seq)
    base.load_memories(net, saved)
    assert torch.equal(net(x_seq), expected)


def test_a_state_at_its_reset_value_is_restored_as_such():
    node = neuron.LIFNode(v_reset=torch.full((4,), -0.1))
    saved = base.extract_memories(node)
    node(torch.rand(2, 4))
    base.load_memories(node, saved)
    node(torch.rand(3, 4))
    number = neuron.IFNode()
    base.load_memories(number, base.extract_memories(number))
    number.v_reset = -0.5
    assert number.v == -0.5


def test_the_functional_form_keeps_the_modules_records():
    node = neuron.IFNode(step_mode="m", store_v_seq=True)
    node(sequence((3,)))
    before = node.v_seq
    base.to_functional_forward(node)((sequence((4,)),), (0.0,))
    assert node.v_seq is before


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_the_functional_form_streams_without_touching_the_module(case):
    net, x_seq = net_of(case, case), sequence((3,))
    run, states, outputs = base.to_functional_forward(net), base.extract_memories(net), []
    for x in x_seq.split(2):
        (output,), states = run((x,), states)
        outputs.append(output)
        assert all(isinstance(v, float) for v in base.memories(net))
    assert torch.equal(torch.cat(outputs), net(x_seq))
    for state, memory in zip(states, base.memories(net), strict=True):
        assert torch.equal(state, memory)


def test_the_functional_form_puts_states_back_after_an_error():
    net = net_of(NEURONS[0])
    net(sequence((3,)))
    before = base.extract_memories(net)
    with pytest.raises(ValueError, match="reset_net"):
        base.to_functional_forward(net)((sequence((4,)),), before)
    assert base.extract_memories(net)[0] is before[0]


def test_a_number_of_states_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="Sequential has 1 memories, got 2 values"):
        base.load_memories(net_of(NEURONS[0]), [0.0, 0.0])


def test_another_forward_can_be_made_functional():
    node = neuron.IFNode()
    run = base.to_functional_forward(node, lambda x, gain: gain * node(x))
    (output,), (v,) = run((torch.tensor([0.75]),), (0.5,), gain=3.0)
    assert output.item() == 3.0
    assert v.item() == 0.0
