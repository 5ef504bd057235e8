"""Times of spikes in the latency code, and ramps up to them."""

import re

import pytest
import torch

from spikeframe.compat.snntorch import spikegen

X = torch.tensor([0.0, 0.02, 0.5, 1.0])
IMAGES = torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(0))


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


def test_a_latency_may_take_the_steps_it_needs():
    spikes = spikegen.latency(torch.tensor([0.0, 1.0]), bypass=True)
    assert spikes.shape == (13, 2)
    short = spikegen.latency(torch.tensor([0.0, 1.0]), num_steps=4, bypass=True)
    assert short.sum(0).tolist() == [0, 1]


@pytest.mark.parametrize("linear", [False, True])
def test_a_normalised_code_fills_the_steps_from_the_first(linear):
    options = {"num_steps": 9, "first_spike_time": 2, "normalize": True, "linear": linear}
    times, silent = spikegen.latency_code(X, **options)
    assert times[3].item() == pytest.approx(2, abs=0.01)
    assert times[0].item() == pytest.approx(8, abs=0.1)
    assert torch.equal(times.argsort(), torch.tensor([3, 2, 1, 0]))
    assert silent.tolist() == [True, False, False, False]
    spikes = spikegen.latency(X, **options, on_target=3, off_target=-1)
    assert torch.equal(spikes.argmax(0), times.round().long())
    assert spikes.sum(0).tolist() == [3 - 8] * 4


def test_values_at_most_the_threshold_may_be_silent_in_ramps_too():
    options = {"num_steps": 6, "tau": 0.2, "clip": True, "off_target": -1}
    x = torch.tensor([[0.001, 0.5]]).double()
    for interpolate in (False, True):
        code = spikegen.latency(x, **options, interpolate=interpolate)
        assert (code.shape, code.dtype) == ((6, 1, 2), torch.float64)
        assert code[:, 0].T.tolist() == [[-1.0] * 6, [1.0] + [-1.0] * 5]


def test_a_code_may_begin_at_the_last_step():
    assert spikegen.latency(X[3:], 5, linear=True, first_spike_time=4).argmax().item() == 4


def test_steps_are_as_many_as_the_latest_spike_needs():
    assert spikegen.latency(X[2:], bypass=True, linear=True, tau=10).shape == (6, 2)
    assert spikegen.latency(X[:0], bypass=True).shape == (1, 0)
    whole = spikegen.latency(X, 5, tau=4, linear=True)
    assert whole.argmax(0).tolist() == [4, 4, 2, 0]


def test_ramps_between_the_spikes_of_one_neuron():
    ramp = spikegen.rate_interpolate(torch.tensor([1, 4]), 6, on_target=2, off_target=-1)
    assert ramp.tolist() == [-1.0, 2.0, -1.0, 0.5, 2.0, -1.0]


def test_ramps_go_from_0_to_1_and_may_be_flat():
    times = torch.tensor(2.0)
    assert spikegen.latency_interpolate(times, 4).tolist() == [0, 0.5, 1, 0]
    assert spikegen.latency_interpolate(times, 4, 3, 3).tolist() == [3, 3, 3, 3]
    assert spikegen.rate_interpolate(times[None], 4).tolist() == [0, 0.5, 1, 0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.int64])
def test_ramps_up_to_only_spikes(dtype):
    times = torch.tensor([[0, 2], [4, 6]]).to(dtype)
    ramps = spikegen.latency_interpolate(times, 4, on_target=3, off_target=1)
    expected = [[3, 1, 1, 1], [1, 2, 3, 1], [1, 1.5, 2, 2.5], [1, 1, 1, 1]]
    assert ramps.flatten(1).T.tolist() == expected
    assert ramps.dtype == (dtype if dtype.is_floating_point else torch.float32)


BAD = {
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
    "on_target must not be less": lambda: spikegen.latency_interpolate(
        torch.zeros(2), 5, on_target=0, off_target=1
    ),
    "first_spike_time must be from 0 to num_steps - 1 = 4, got 5": lambda: spikegen.latency(
        IMAGES, 5, first_spike_time=5
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BAD[message]()
