import itertools

import numpy as np
import pytest
import torch
from recordings import counted, recording
from spikeframe.kernels.build import BuildError, load

from spikeframe.data import counting
from spikeframe.data.slices import cut_by_number, cut_by_time

SENSOR = (2, 5, 7)


def has_compiler():
    try:
        return load(counting.SOURCE) is not None
    except BuildError:
        return False


COUNTERS = [
    pytest.param(counting.NUMPY, id="numpy"),
    pytest.param(
        counting.CPP,
        id="cpp",
        marks=pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler"),
    ),
]
pytestmark = pytest.mark.parametrize("count", COUNTERS)


@pytest.fixture(params=[1, 3])
def threads(request):
    """More threads than this: slices are shared among them by their events."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("sensor", [SENSOR, (1, 1, 40), (2, 3, 1)])
@pytest.mark.parametrize("n", [0, 1, 700])
def test_count_is_the_definition(count, n, sensor):
    events = recording(n, sensor) if n > 3 else recording(10, sensor)[:n]
    for cut in (cut_by_number(n, 4), cut_by_time(events["t"], 9)):
        frames = count(events, cut, sensor)
        assert frames.dtype == torch.float32
        assert np.array_equal(frames.numpy(), counted(events, cut, sensor))


def test_long_recordings_are_counted_in_parts(count, threads):
    events = recording(3 * counting.LONG + 11, SENSOR, span=10**6)
    for slices in (1, 2, 8):
        cut = cut_by_time(events["t"], slices)
        pixels = np.ravel_multi_index((events["p"], events["y"], events["x"]), SENSOR)
        expected = [
            np.bincount(pixels[first:last], minlength=70)
            for first, last in itertools.pairwise(cut)
        ]
        frames = count(events, cut, SENSOR)
        assert np.array_equal(frames.flatten(1).numpy(), expected)


def test_slices_of_unequal_size_are_shared(count, threads):
    events = recording(4 * counting.LONG, SENSOR)
    cut = np.array([0, 0, 5, 5, len(events) - 3, len(events) - 3, len(events)])
    frames = count(events, cut, SENSOR)
    assert frames.sum((1, 2, 3)).tolist() == np.diff(cut).tolist()


def test_strided_events_are_counted(count):
    events = recording(600, SENSOR)
    cut = cut_by_number(200, 3)
    assert torch.equal(count(events[::3], cut, SENSOR), count(events[::3].copy(), cut, SENSOR))


@pytest.mark.parametrize(
    ("field", "value", "part"), [("p", 2, "p=2"), ("y", 5, "y=5"), ("x", 7, "x=7")]
)
def test_event_off_the_sensor_is_named(count, threads, field, value, part):
    events = recording(200_000, SENSOR)
    events[field][150_000] = value
    match = rf"event 150000 \(.*{part}.*\) lies off the sensor .* = \(2, 5, 7\): give .* true size"
    with pytest.raises(ValueError, match=match):
        count(events, cut_by_number(200_000, 4), SENSOR)


@pytest.mark.parametrize("slices", [1, 4])
def test_time_that_goes_back_is_named(count, slices):
    events = recording(2000, SENSOR)
    events["t"][500] = events["t"][499] - 1  # at the border of two slices, too
    match = "order of time, got .* at event 500: sort"
    with pytest.raises(ValueError, match=match):
        count(events, cut_by_number(2000, slices), SENSOR)
    shuffled = events[np.random.default_rng(0).permutation(2000)]
    with pytest.raises(ValueError, match="order of time"):
        count(shuffled, cut_by_time(shuffled["t"], 7), SENSOR)
