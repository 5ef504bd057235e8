"""A state dict has the states where they are asked for, and nowhere else."""

import threading

import pytest
import torch

from spikeframe import base
from spikeframe.base.state_dict import states_wanted, with_states


class Sum(base.MemoryModule):
    def __init__(self):
        super().__init__()
        self.register_memory("v", 0.0)

    def single_step_forward(self, x):
        self.v = self.v + x
        return self.v


def test_states_are_asked_for_within_it_however_it_is_left():
    assert not states_wanted()
    with with_states():
        with with_states():
            assert states_wanted()
        assert states_wanted()
    assert not states_wanted()
    with pytest.raises(ZeroDivisionError), with_states():
        raise ZeroDivisionError
    assert not states_wanted()


def test_other_threads_do_not_ask():
    seen = []
    with with_states():
        thread = threading.Thread(target=lambda: seen.append(states_wanted()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_what_is_saved_says_that_it_has_the_states():
    node = Sum()
    node(torch.ones(2))
    with with_states():
        saved, fresh = node.state_dict(), Sum().state_dict()
    assert saved["v"].tolist() == [1.0, 1.0]
    assert node.state_dict() == fresh == {}
    node(torch.ones(2))
    node.load_state_dict(saved)
    assert node.v.tolist() == [1.0, 1.0]
    node.load_state_dict(fresh)
    assert node.v == 0.0
