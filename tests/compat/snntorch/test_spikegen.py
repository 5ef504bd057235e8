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


def test_the_changes_of_the_text():
    assert spikegen.delta(torch.tensor([0, 5, 5, 9, 0]), threshold=4).tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_codes_keep_the_type(dtype):
    x = torch.rand(3).to(dtype)
    assert spikegen.rate(x, 4).dtype == dtype
    options = {"num_steps": 4, "normalize": True, "linear": True}
    for interpolate in (False, True):
        assert spikegen.latency(x, **options, interpolate=interpolate).dtype == dtype


BAD = {
    "within [0, 1] as data": lambda: spikegen.rate(IMAGES * 2, 5),
    "within [0, 1] as data below": lambda: spikegen.rate(IMAGES - 0.5, 5),
    "num_steps must be given": lambda: spikegen.rate(IMAGES),
    "first_spike_time must not be negative": lambda: spikegen.rate(IMAGES, 5, first_spike_time=-1),
    "first_spike_time must be at most num_steps": lambda: spikegen.rate(
        IMAGES, 5, first_spike_time=5
    ),
    "num_steps is the data's own": lambda: spikegen.rate(IMAGES, 5, time_var_input=True),
    "threshold must be": lambda: spikegen.delta(IMAGES, threshold=0),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=re.escape(message.removesuffix(" below"))):
        BAD[message]()


def test_integers_are_no_probabilities():
    with pytest.raises(TypeError, match="rate takes floating-point inputs, got torch.int64"):
        spikegen.rate(torch.tensor([0, 1]), 5)
