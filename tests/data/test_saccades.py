import dataclasses

import numpy as np
import pytest

from spikeframe.data import EVENT_DTYPE, Camera, look

QUIET = Camera(noise=0.0, mismatch=0.0)


def see(images, camera=QUIET, seed=0):
    return look(np.asarray(images, np.float32), camera, np.random.default_rng(seed))


def digit():
    image = np.zeros((1, 8, 8))
    image[:, 2:6, 3:5] = 1
    return image


def test_recordings_are_sorted_events_on_the_sensor():
    camera = Camera()
    for events in see(np.random.default_rng(0).random((5, 8, 8)), camera):
        assert events.dtype == EVENT_DTYPE
        assert (np.diff(events["t"]) >= 0).all()
        assert 0 <= events["t"].min() <= events["t"].max() < camera.duration
        assert max(events["x"].max(), events["y"].max()) < camera.side


def test_a_still_or_even_picture_makes_no_events():
    assert len(see(np.zeros((1, 8, 8)))[0]) == 0
    still = dataclasses.replace(QUIET, reach=0.0)
    assert len(see(digit(), still)[0]) == 0
    assert len(see(digit())[0]) > 100


def test_noise_is_its_rate():
    camera = dataclasses.replace(QUIET, noise=5.0)
    noise = np.concatenate(see(np.zeros((40, 8, 8)), camera))
    expected = 5.0 * 40 * camera.side**2 * camera.duration / 1e6
    assert len(noise) == pytest.approx(expected, rel=0.05)
    assert noise["p"].mean() == pytest.approx(0.5, abs=0.02)
    assert noise["x"].mean() == pytest.approx((camera.side - 1) / 2, rel=0.02)


def test_events_sum_to_the_change_of_light():
    """A pixel's brighter minus darker events times the threshold: its light, to one threshold."""
    images = np.random.default_rng(1).random((3, 8, 8))
    for clip in see(images):
        sign = 2.0 * clip["p"] - 1
        change = np.zeros((QUIET.side, QUIET.side))
        np.add.at(change, (clip["y"], clip["x"]), sign)
        # The gaze comes back to where it began.
        assert np.abs(change).max() <= 1


def test_brightening_and_darkening_edges_are_told_apart():
    """A bright bar that moves to the right brightens in front and darkens behind."""
    picture = np.zeros((64, 8, 8))
    picture[:, :, 3:5] = 1
    camera = dataclasses.replace(QUIET, reach=4.0)
    clips = see(picture, camera)
    # In the first saccade the gaze goes to the left and down, so what is seen goes to the right.
    first = np.concatenate([clip[clip["t"] < camera.saccade] for clip in clips])
    brighter, darker = (first["x"][first["p"] == p].mean() for p in (1, 0))
    assert brighter > darker + 1


def test_threshold_and_contrast_set_the_number_of_events():
    count = len(see(digit())[0])
    finer = len(see(digit(), dataclasses.replace(QUIET, threshold=QUIET.threshold / 2))[0])
    assert finer == pytest.approx(2 * count, rel=0.25)
    darker = len(see(digit(), dataclasses.replace(QUIET, dark=2.0))[0])
    assert darker < count / 2


def test_steps_hardly_matter():
    whole = see(digit(), dataclasses.replace(QUIET, step=4_000))[0]
    fine = see(digit(), dataclasses.replace(QUIET, step=500))[0]
    assert len(fine) == pytest.approx(len(whole), rel=0.05)
    assert np.median(fine["t"]) == pytest.approx(np.median(whole["t"]), abs=8_000)


def test_times_are_interpolated_within_a_step():
    camera = dataclasses.replace(QUIET, step=20_000)
    times = np.concatenate(
        [clip["t"] for clip in see(np.random.default_rng(0).random((5, 8, 8)), camera)]
    )
    assert len(set(times.tolist())) > len(times) / 2


def test_seed_decides():
    images = np.random.default_rng(0).random((3, 8, 8))
    first, again, other = (see(images, Camera(), seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
