"""The eager loop: the definition."""

import pytest
import torch

from spikeframe import kernels


def test_the_loop_calls_the_step_in_order_and_stacks():
    calls = []

    def step(x, y):
        calls.append(x.item())
        return x + y, x - y

    total, difference = kernels.loop_over_time(step, (torch.arange(3.0), torch.ones(3)))
    assert calls == [0.0, 1.0, 2.0]
    assert total.tolist() == [1.0, 2.0, 3.0]
    assert difference.tolist() == [-1.0, 0.0, 1.0]


def test_sequences_are_checked():
    with pytest.raises(ValueError, match=r"same number of steps T, got shapes \[\[3\], \[2\]\]"):
        kernels.check_sequences((torch.zeros(3), torch.zeros(2)))
    with pytest.raises(ValueError, match=r"is a sequence \[T, N, \*\], got shapes \[\]"):
        kernels.check_sequences(())
