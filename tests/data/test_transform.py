import numpy as np
import pytest
import torch
from recordings import recording

from spikeframe.data import (
    crop,
    downsample,
    drop_events,
    flip_polarity,
    flip_x,
    flip_y,
    jitter_space,
    jitter_time,
    merge_polarities,
    random_temporal_delete,
    shift,
    to_frames,
)

SENSOR = (2, 5, 7)


@pytest.fixture
def events():
    return recording(300, SENSOR)


def frame(events, sensor=SENSOR):
    return to_frames(events, sensor, frames_number=1)[0]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_flips_mirror_the_frame(events):
    assert torch.equal(frame(flip_x(events, SENSOR)), frame(events).flip(2))
    assert torch.equal(frame(flip_y(events, SENSOR)), frame(events).flip(1))
    assert torch.equal(frame(flip_polarity(events)), frame(events).flip(0))


def test_flips_refuse_a_sensor_that_is_too_small(events):
    with pytest.raises(ValueError, match="an event at 6 lies off the sensor, whose size there"):
        flip_x(events, (2, 5, 6))
    with pytest.raises(ValueError, match="an event at 4 lies off the sensor"):
        flip_y(events, (2, 4, 7))


def test_merged_polarities_count_together(events):
    merged = frame(merge_polarities(events), (1, 5, 7))
    assert torch.equal(merged, frame(events).sum(0, keepdim=True))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_downsampling_keeps_every_event(events, factor):
    small = downsample(events, factor)
    assert small["x"].tolist() == (events["x"] // factor).tolist()
    assert small["y"].tolist() == (events["y"] // factor).tolist()
    assert small["t"].tolist() == events["t"].tolist()


@pytest.mark.parametrize("factor", [0, 2.0, True])
def test_downsampling_refuses_other_factors(events, factor):
    with pytest.raises(ValueError, match="factor must be a whole number of at least 1, got"):
        downsample(events, factor)


def test_shift_moves_the_frame_and_drops_what_leaves_it(events):
    moved = frame(shift(events, SENSOR, dx=2, dy=-1))
    expected = torch.zeros(SENSOR)
    expected[:, :4, 2:] = frame(events)[:, 1:, :5]
    assert torch.equal(moved, expected)


def test_crop_keeps_a_window(events):
    window = crop(events, top=1, left=2, height=3, width=4)
    assert torch.equal(frame(window, (2, 3, 4)), frame(events)[:, 1:4, 2:6])
    with pytest.raises(ValueError, match="a window must have at least one pixel, got 0 x 4"):
        crop(events, 0, 0, 0, 4)


def test_jitter_in_space_moves_by_sigma():
    sensor = (1, 400, 400)
    events = recording(20_000, (1, 1, 1))
    events["x"], events["y"] = 200, 100
    moved = jitter_space(events, sensor, rng(), sigma=5.0)
    assert len(moved) == len(events)
    for name, middle in (("x", 200), ("y", 100)):
        assert moved[name].mean() == pytest.approx(middle, abs=0.2)
        assert moved[name].std() == pytest.approx(5.0, rel=0.03)
    assert np.array_equal(jitter_space(events, sensor, rng(), sigma=0), events)


def test_jitter_in_space_drops_what_leaves_the_sensor(events):
    moved = jitter_space(events, SENSOR, rng(), sigma=3.0)
    assert 0 < len(moved) < len(events)
    assert frame(moved).sum() == len(moved)


def test_jitter_in_time_keeps_events_and_order(events):
    moved = jitter_time(events, rng(), sigma=500.0)
    assert (np.diff(moved["t"]) >= 0).all()
    assert torch.equal(frame(moved), frame(events))
    same = recording(20_000, span=0)
    assert jitter_time(same, rng(), sigma=500.0)["t"].std() == pytest.approx(500, rel=0.03)


@pytest.mark.parametrize("sigma", [-1.0, np.nan, np.inf])
def test_jitter_refuses_other_scales(events, sigma):
    for jitter in (jitter_time, lambda e, r, sigma: jitter_space(e, SENSOR, r, sigma=sigma)):
        with pytest.raises(ValueError, match="sigma must be finite and at least 0, got"):
            jitter(events, rng(), sigma=sigma)


def test_dropped_events_are_a_share_in_order():
    events = recording(20_000, span=10**6)
    kept = drop_events(events, rng(), probability=0.3)
    assert len(kept) / len(events) == pytest.approx(0.7, abs=0.02)
    assert (np.diff(kept["t"]) >= 0).all()
    assert len(drop_events(events, rng(), probability=0)) == len(events)
    assert len(drop_events(events, rng(), probability=1)) == 0
    with pytest.raises(ValueError, match="probability must be within 0 to 1, got 1.5"):
        drop_events(events, rng(), probability=1.5)


@pytest.mark.parametrize(
    "change",
    [
        lambda e, r: jitter_space(e, SENSOR, r),
        jitter_time,
        lambda e, r: drop_events(e, r, probability=0.5),
    ],
)
def test_random_changes_depend_on_their_generator_alone(events, change):
    np.random.seed(5)
    before = events.copy()
    first = change(events, rng(3))
    assert np.array_equal(first, change(events, rng(3)))
    assert not np.array_equal(first, change(events, rng(4)))
    assert np.array_equal(events, before)


def test_random_temporal_delete_keeps_some_steps_in_order():
    x_seq = torch.arange(20).view(10, 2)
    kept = [
        random_temporal_delete(x_seq, 4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert torch.equal(kept[0], kept[1])
    assert not torch.equal(kept[0], kept[2])
    for part in kept:
        steps = (part[:, 0] // 2).tolist()
        assert len(set(steps)) == 4
        assert steps == sorted(steps)
        assert torch.equal(part, x_seq[steps])


@pytest.mark.parametrize("remaining", [0, 11, 2.0, True])
def test_random_temporal_delete_refuses_other_numbers(remaining):
    with pytest.raises(ValueError, match="remaining must be a whole number within 1 to T=10, got"):
        random_temporal_delete(torch.zeros(10, 2), remaining)
