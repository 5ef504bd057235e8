import numpy as np
import pytest
import torch
from recordings import counted, recording

from spikeframe.data import counting, downsample, frames, make_events, to_frames, to_voxels
from spikeframe.data.slices import cut_by_duration, cut_by_number, cut_by_time

SENSOR = (2, 5, 7)


@pytest.mark.parametrize("T", [1, 3, 16])
def test_frames_are_cut_and_counted(T):
    events = recording()
    by_number = to_frames(events, SENSOR, frames_number=T)
    assert np.array_equal(by_number, counted(events, cut_by_number(500, T), SENSOR))
    by_time = to_frames(events, SENSOR, frames_number=T, split_by="time")
    assert np.array_equal(by_time, counted(events, cut_by_time(events["t"], T), SENSOR))
    assert by_time.shape == (T, *SENSOR)


def test_frames_of_a_duration_are_cut_and_counted():
    events = recording(start=77)
    expected = counted(events, cut_by_duration(events["t"], 999), SENSOR)
    assert np.array_equal(to_frames(events, SENSOR, duration=999), expected)


@pytest.mark.parametrize("n", [2, 3, 499, 500, 100_000])
def test_no_event_is_lost_or_counted_twice(n):
    events = recording(max(n, 10))[-n:]
    for options in (
        {"frames_number": 7},
        {"frames_number": 7, "split_by": "time"},
        {"duration": 333},
        {"duration": 10_000},
    ):
        assert to_frames(events, SENSOR, **options).sum() == n


def test_no_events_are_no_frames_of_a_duration_and_empty_ones_by_number():
    nothing = make_events([], [])
    assert to_frames(nothing, SENSOR, duration=10).shape == (0, *SENSOR)
    for split_by in ("number", "time"):
        frames = to_frames(nothing, SENSOR, frames_number=3, split_by=split_by)
        assert torch.equal(frames, torch.zeros(3, *SENSOR))


def test_the_last_event_is_in_the_last_frame():
    events = make_events(t=[0, 10, 20, 30], x=[0, 1, 2, 3])
    for options in ({"frames_number": 3, "split_by": "time"}, {"frames_number": 2}):
        assert to_frames(events, (1, 1, 4), **options)[-1, 0, 0, 3] == 1
    # At exactly three durations it begins a fourth frame.
    assert to_frames(events, (1, 1, 4), duration=10).shape[0] == 4


def test_long_and_short_recordings_are_counted_alike(monkeypatch):
    events = recording(counting.LONG, SENSOR)
    long = to_frames(events, SENSOR, frames_number=5)
    monkeypatch.setattr(counting, "LONG", len(events) + 1)
    assert torch.equal(long, to_frames(events, SENSOR, frames_number=5))


def test_frames_are_made_of_other_libraries_events():
    events = recording(50)
    mapping = {name: events[name] for name in "txyp"}
    expected = to_frames(events, SENSOR, frames_number=3)
    assert torch.equal(to_frames(mapping, SENSOR, frames_number=3), expected)


def test_downsampled_frames_are_sums_over_squares():
    sensor = (2, 6, 8)
    events = recording(800, sensor)
    small = to_frames(downsample(events, 2), (2, 3, 4), frames_number=4)
    whole = to_frames(events, sensor, frames_number=4)
    assert torch.equal(small, torch.nn.functional.avg_pool2d(whole, 2) * 4)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "exactly one of frames_number and duration must be given, got frames_number=None"),
        ({"frames_number": 2, "duration": 3}, "exactly one .* frames_number=2, duration=3"),
        ({"frames_number": 2, "split_by": "half"}, "split_by must be 'number' or 'time', got"),
        ({"frames_number": 0}, "the number of slices must be a whole number of at least 1"),
        ({"duration": 0}, r"the duration \(in microseconds\) must be"),
    ],
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        to_frames(recording(), SENSOR, **options)


def grid(events, sensor, bins):
    """Zhu's volume event by event."""
    voxels = np.zeros((bins, 1, *sensor[1:]))
    t = events["t"].astype(float)
    moments = (bins - 1) * (t - t[0]) / max(t[-1] - t[0], 1)
    for event, moment in zip(events, moments, strict=True):
        for b in range(bins):
            weight = max(0.0, 1 - abs(b - moment))
            voxels[b, 0, event["y"], event["x"]] += weight * (2.0 * event["p"] - 1)
    return voxels


@pytest.mark.parametrize("bins", [1, 2, 9])
@pytest.mark.parametrize("start", [0, 10**12])
def test_voxels_are_the_definition(bins, start, monkeypatch):
    events = recording(300, start=start)
    expected = grid(events, SENSOR, bins)
    np.testing.assert_allclose(to_voxels(events, SENSOR, bins), expected, atol=1e-5)
    monkeypatch.setattr(frames, "CHUNK", 7)
    np.testing.assert_allclose(to_voxels(events, SENSOR, bins), expected, atol=1e-5)


def test_voxels_share_every_event_whole():
    events = recording(1001, (1, 5, 7))
    assert to_voxels(events, (1, 5, 7), 6).sum().item() == pytest.approx(-1001)
    last = to_voxels(make_events([0, 7, 9], [0, 1, 2], p=[1, 1, 1]), (2, 1, 3), 4)
    assert last[3, 0, 0, 2] == 1


def test_voxels_of_no_or_one_event():
    assert to_voxels(recording()[:0], SENSOR, 3).shape == (3, 1, 5, 7)
    assert to_voxels(make_events([5], [1], p=[1]), (2, 1, 2), 3)[:, 0, 0, 1].tolist() == [1, 0, 0]


def test_voxels_refuse_what_frames_refuse():
    events = recording()
    with pytest.raises(ValueError, match="bins must be a whole number of at least 1, got 0"):
        to_voxels(events, SENSOR, 0)
    with pytest.raises(ValueError, match="lies off the sensor"):
        to_voxels(events, (2, 5, 6), 3)
    events["t"][3] = 10**6
    with pytest.raises(ValueError, match="order of time"):
        to_voxels(events, SENSOR, 3)
