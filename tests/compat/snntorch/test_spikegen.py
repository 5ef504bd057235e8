"""Codes as the texts state them, and what is refused."""

import re

import pytest
import torch

from spikeframe.compat.snntorch import spikegen

IMAGES = torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(0))


def test_a_rate_is_a_probability_and_time_comes_first():
    spikes = spikegen.rate(IMAGES, num_steps=2000)
    assert spikes.shape == (2000, 4, 1, 5, 5)
    torch.testing.assert_close(spikes.mean(0), IMAGES, rtol=0, atol=0.06)


def test_the_latencies_of_the_text():
    x = torch.tensor([0, 0.005, 0.0101, 0.02, 0.5, 1])
    spikes = spikegen.latency(x, num_steps=100, tau=5, threshold=0.01)
    assert spikes.argmax(0).tolist() == [58, 58, 23, 3, 0, 0]
    clipped = spikegen.latency(x, num_steps=100, tau=5, threshold=0.01, clip=True)
    assert clipped.sum(0).tolist() == [0, 0, 1, 1, 1, 1]
    times, silent = spikegen.latency_code(x, tau=5, threshold=0.01)
    expected = 5 * torch.log(x[2:] / (x[2:] - 0.01))
    torch.testing.assert_close(times[2:], expected, rtol=1e-4, atol=1e-4)
    assert silent.tolist() == [True, True, False, False, False, False]


def test_the_changes_of_the_text():
    assert spikegen.delta(torch.tensor([0, 5, 5, 9, 0]), threshold=4).tolist() == [0, 1, 0, 1, 0]


def test_a_latency_may_take_the_steps_it_needs():
    spikes = spikegen.latency(torch.tensor([0.0, 1.0]), bypass=True)
    assert spikes.shape == (13, 2)
    short = spikegen.latency(torch.tensor([0.0, 1.0]), num_steps=4, bypass=True)
    assert short.sum(0).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_codes_keep_the_type(dtype):
    x = torch.rand(3).to(dtype)
    assert spikegen.rate(x, 4).dtype == dtype
    options = {"num_steps": 4, "normalize": True, "linear": True}
    for interpolate in (False, True):
        assert spikegen.latency(x, **options, interpolate=interpolate).dtype == dtype


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


BAD = {
    "within [0, 1] as data": lambda: spikegen.rate(IMAGES * 2, 5),
    "within [0, 1] as data below": lambda: spikegen.rate(IMAGES - 0.5, 5),
    "num_steps must be given": lambda: spikegen.rate(IMAGES),
    "first_spike_time must not be negative": lambda: spikegen.rate(IMAGES, 5, first_spike_time=-1),
    "first_spike_time must be at most num_steps": lambda: spikegen.rate(
        IMAGES, 5, first_spike_time=5
    ),
    "num_steps is the data's own": lambda: spikegen.rate(IMAGES, 5, time_var_input=True),
    "latency takes values within": lambda: spikegen.latency(IMAGES * 2, 5),
    "threshold must be finite and greater than 0 and less than 1": lambda: spikegen.latency(
        IMAGES, 5, threshold=1.0
    ),
    "num_steps must be given, the number of steps to encode, or": lambda: spikegen.latency(IMAGES),
    "num_steps must be given with normalize=True": lambda: spikegen.latency_code(
        IMAGES, normalize=True
    ),
    "first_spike_time must be from 0": lambda: spikegen.latency(IMAGES, 5, first_spike_time=-1),
    "num_steps=5 ends at step 4, but the latest spike": lambda: spikegen.latency(
        torch.zeros(2), 5
    ),
    "tau must be": lambda: spikegen.latency(IMAGES, 5, tau=0),
    "threshold must be": lambda: spikegen.delta(IMAGES, threshold=0),
    "on_target must not be less": lambda: spikegen.latency_interpolate(
        torch.zeros(2), 5, on_target=0, off_target=1
    ),
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
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=re.escape(message.removesuffix(" below"))):
        BAD[message]()


def test_integers_are_no_probabilities():
    with pytest.raises(TypeError, match="rate takes floating-point inputs, got torch.int64"):
        spikegen.rate(torch.tensor([0, 1]), 5)
