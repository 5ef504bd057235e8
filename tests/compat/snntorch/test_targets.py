"""Labels as rows, as rates and as latencies."""

import re

import pytest
import torch

from spikeframe.compat.snntorch import spikegen

LABELS = torch.tensor([2, 0])


def test_labels_by_latency_ramp_up_to_their_spikes():
    code = spikegen.targets_convert(
        torch.tensor([0, 3]), 4, code="latency", num_steps=5, normalize=True, interpolate=True
    )
    assert code[:, 0, 0].tolist() == [1, 0, 0, 0, 0]
    assert code[:, 0, 1].tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_labels_by_rate():
    code = spikegen.targets_rate(
        torch.tensor([1]), 2, num_steps=6, correct_rate=0.5, incorrect_rate=0.25, off_target=-1
    )
    assert code[:, 0, 1].tolist() == [1, -1, 1, -1, 1, -1]
    assert code[:, 0, 0].tolist() == [1, -1, -1, -1, 1, -1]
    ramp = spikegen.targets_rate(
        torch.tensor([1]), 2, num_steps=4, correct_rate=0.5, interpolate=True
    )
    assert ramp[:, 0, 1].tolist() == [1, 0, 1, 0]
    assert ramp[:, 0, 0].tolist() == [0, 0, 0, 0]


def test_labels_as_rows_and_back():
    rows = spikegen.to_one_hot(LABELS.to(torch.uint8), 3)
    assert (rows.tolist(), rows.dtype) == ([[0, 0, 1], [1, 0, 0]], torch.get_default_dtype())
    inverse = spikegen.to_one_hot_inverse(rows.double())
    assert (inverse.tolist(), inverse.dtype) == ([[1, 1, 0], [0, 1, 1]], torch.float64)
    assert torch.equal(spikegen.from_one_hot(rows), LABELS)
    assert spikegen.to_one_hot(LABELS[:0], 3).shape == (0, 3)


def test_rates_of_1_and_0_do_not_change_with_time():
    code = spikegen.targets_rate(LABELS, 3, num_steps=7, on_target=2, off_target=-1)
    assert code.tolist() == [[-1, -1, 2], [2, -1, -1]]
    late = spikegen.targets_rate(LABELS, 3, num_steps=4, first_spike_time=2, interpolate=True)
    assert late[:, 0].tolist() == [[0, 0, 0]] * 2 + [[0, 0, 1]] * 2


def test_codes_are_chosen_by_name_and_take_their_arguments():
    assert torch.equal(spikegen.targets_convert(LABELS, 3), spikegen.to_one_hot(LABELS, 3))
    shared = {"num_steps": 6, "first_spike_time": 1, "on_target": 2, "off_target": -1}
    rate = {"correct_rate": 0.5, "incorrect_rate": 0.25, "interpolate": True}
    found = spikegen.targets_convert(LABELS, 3, "rate", **shared, **rate)
    assert torch.equal(found, spikegen.targets_rate(LABELS, 3, **shared, **rate))
    code = {"tau": 2, "threshold": 0.2, "clip": True, "linear": True}
    late = {"normalize": True, "bypass": True}
    found = spikegen.targets_convert(LABELS, 3, "latency", **shared, **code, **late)
    assert torch.equal(found, spikegen.targets_latency(LABELS, 3, **shared, **code, **late))
    rows = spikegen.to_one_hot(LABELS, 3)
    assert torch.equal(found, spikegen.latency(rows, **shared, **code, **late))
    assert found.amax(0).tolist() == [[-1, -1, 2], [2, -1, -1]]
    loose = {"num_steps": 9, "threshold": 0.2, "tau": 0.5}
    found = spikegen.targets_convert(LABELS, 3, "latency", **loose)
    assert torch.equal(found, spikegen.latency(rows, **loose))
    times = spikegen.targets_latency(LABELS, 3, num_steps=4, tau=2, linear=True, bypass=True)
    assert times.argmax(0).tolist() == [[2, 2, 0], [0, 2, 2]]


@pytest.mark.parametrize("rate", [0.65, 0.28, 0.1, 1])
@pytest.mark.parametrize("first", [0, 3])
def test_a_regular_train_has_its_rate_and_ends_in_time(rate, first):
    for steps in range(4, 60):
        spikes, times = spikegen.target_rate_code(steps, first, rate)
        assert spikes.shape == (steps,)
        assert torch.equal(spikes.nonzero().flatten(), times)
        assert times[0] == first
        assert abs(len(times) - rate * (steps - first)) <= 1


def test_times_at_random(monkeypatch):
    torch.manual_seed(0)
    spikes, times = spikegen.target_rate_code(2000, 500, 0.2, "Uniform")
    assert torch.equal(spikes.nonzero().flatten(), times)
    assert 500 <= times.min() < 520
    assert 1980 < times.max() < 2000
    assert 240 < len(times) < 300  # 300 times, of which some meet
    # The last number before 1, which rounds up to the end.
    monkeypatch.setattr(torch, "rand", lambda n: torch.full((n,), 1 - 2**-24))
    assert spikegen.target_rate_code(100, 99, 1, "uniform")[1].tolist() == []


def test_independent_steps():
    torch.manual_seed(0)
    spikes, times = spikegen.target_rate_code(4000, 1000, 0.25, "POISSON")
    assert torch.equal(spikes.nonzero().flatten(), times)
    assert not spikes[:1000].any()
    assert len(times.diff().unique()) > 5
    assert spikes[1000:].mean() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("pattern", ["regular", "uniform", "poisson"])
def test_a_rate_of_0_is_silent_and_no_step_is_too_late(pattern):
    assert spikegen.target_rate_code(1, 0, 1, pattern)[0].tolist() == [1]
    spikes, times = spikegen.target_rate_code(5, 0, 0, pattern)
    assert (spikes.tolist(), times.tolist(), times.dtype) == ([0] * 5, [], torch.long)
    assert not spikegen.target_rate_code(5, 5, 1, pattern)[0].any()


BAD = {
    "code must be 'rate' or 'latency', got 'time'": lambda: spikegen.targets_convert(
        torch.tensor([0]), 2, code="time"
    ),
    "rates must be from 0 to 1": lambda: spikegen.targets_rate(
        torch.tensor([0]), 2, 5, correct_rate=2
    ),
    "incorrect_rate must not be more": lambda: spikegen.targets_rate(
        torch.tensor([0]), 2, 5, correct_rate=0.1, incorrect_rate=0.2
    ),
    "firing_pattern must be": lambda: spikegen.target_rate_code(5, firing_pattern="even"),
    "num_steps must be given unless correct_rate": lambda: spikegen.targets_rate(
        torch.tensor([0]), 2, correct_rate=0.5
    ),
    "num_steps must be at least 1 and first_spike_time": lambda: spikegen.target_rate_code(
        5, first_spike_time=-1
    ),
    "targets must be classes from 0 to num_classes - 1 = 1, got 2 to 2": lambda: (
        spikegen.to_one_hot(torch.tensor([2]), 2)
    ),
    "first_spike_time from 0 to num_steps, got num_steps=5 and first_spike_time=6": lambda: (
        spikegen.target_rate_code(5, first_spike_time=6)
    ),
    "num_steps=0 and": lambda: spikegen.target_rate_code(0),
    "got -1 to 0": lambda: spikegen.to_one_hot(torch.tensor([-1, 0]), 2),
    "rates must be from 0 to 1 (in spikes per step), got 0.5 and -0.5": lambda: (
        spikegen.targets_rate(torch.tensor([0]), 2, 5, correct_rate=0.5, incorrect_rate=-0.5)
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BAD[message]()
