"""Modules that take turns, one at each call of a forward."""

import copy
import pickle

import pytest
import torch
from torch import nn

from spikeframe import convert
from spikeframe.convert.per_call import restart_calls

ZERO = torch.zeros(())


class Plus(nn.Module):
    """Adds its number."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, x, times=1):
        return x + times * self.number


@pytest.fixture
def turns():
    numbers = iter(range(3))
    return convert.PerCall(lambda: Plus(next(numbers)), 3)


def numbers(turns, calls):
    return [turns(ZERO).item() for _ in range(calls)]


def test_each_call_is_the_next_ones_and_then_the_first_ones_again(turns):
    assert len(turns) == 3
    assert numbers(turns, 7) == [0, 1, 2, 0, 1, 2, 0]
    turns.restart_turns()
    assert numbers(turns, 1) == [0]
    assert turns(ZERO, times=5) == 5.0


def test_there_is_one_by_default():
    assert len(convert.PerCall(nn.Identity)) == 1


def test_a_call_that_fails_had_its_turn(turns):
    with pytest.raises(TypeError):
        turns("x")
    assert numbers(turns, 1) == [1]


def test_a_guess_allows_as_many_calls_as_there_are_in_one_forward():
    turns = convert.PerCall(nn.Identity, 2, unsure="its code branches")
    text = r"called more than 2 times in one forward, .* \(its code branches\)\. Pass them to"
    numbers(turns, 2)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=text):
            turns(ZERO)
    turns.restart_turns()
    assert numbers(turns, 2) == [0, 0]


def test_a_forward_of_the_net_restarts_all_turns_in_it(turns):
    net = nn.Sequential(nn.Sequential(turns), convert.PerCall(nn.Identity, 2))
    net.register_forward_pre_hook(restart_calls)
    assert [net(ZERO).item() for _ in range(2)] == [0, 0]
    restart_calls(net, ())
    assert (turns.calls, net[1].calls) == (0, 0)


def test_copies_are_at_the_same_turn_and_take_their_own(turns):
    numbers(turns, 1)
    for twin in (copy.deepcopy(turns), pickle.loads(pickle.dumps(turns))):
        assert numbers(twin, 2) == [1, 2]
    assert numbers(turns, 1) == [1]


def test_it_prints_as_a_list_of_modules():
    assert repr(convert.PerCall(nn.ReLU, 2)) == "PerCall(\n  (0-1): 2 x ReLU()\n)"
