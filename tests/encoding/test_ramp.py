"""Ramps from spike to spike, against a walk over the steps."""

import pytest
import torch

from spikeframe import encoding


def walk(times, T, high, low):
    values, since = [], 0
    for t in range(T):
        later = [s for s in times if s >= t]
        if not later:
            values.append(low)
            continue
        length = later[0] - since
        values.append(high if t == later[0] else low + (high - low) * (t - since) / length)
        since = t + 1 if t == later[0] else since
    return values


@pytest.mark.parametrize("times", [[], [0], [4], [0, 4], [2, 3, 9], [9, 2]])
def test_ramps_equal_a_walk(times):
    found = encoding.ramps(torch.tensor(times, dtype=torch.long), 10, high=1.25, low=0.25)
    assert found.tolist() == pytest.approx(walk(sorted(times), 10, 1.25, 0.25))


def test_times_out_of_range_are_ignored():
    assert torch.equal(
        encoding.ramps(torch.tensor([2, 99, -1]), 4), encoding.ramps(torch.tensor([2]), 4)
    )
    with pytest.raises(ValueError, match="T must be an int of at least 1"):
        encoding.ramps(torch.tensor([0]), 0)
