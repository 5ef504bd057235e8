import itertools

import numpy as np
import pytest
from recordings import recording

from spikeframe.data.slices import cut_by_duration, cut_by_number, cut_by_time


def assert_whole(cut, n):
    assert cut[0] == 0
    assert cut[-1] == n
    assert (np.diff(cut) >= 0).all()


@pytest.mark.parametrize("n", [0, 1, 3, 7, 100, 1000])
@pytest.mark.parametrize("slices", [1, 2, 7, 100])
def test_every_cut_is_whole(n, slices):
    t = np.sort(np.random.default_rng(n).integers(0, 500, n))
    for cut in (cut_by_number(n, slices), cut_by_time(t, slices)):
        assert len(cut) == slices + 1
        assert_whole(cut, n)
    cut = cut_by_duration(t, slices)
    assert_whole(cut, n)


@pytest.mark.parametrize(("n", "slices"), [(10, 3), (9, 3), (11, 3), (5, 5), (100, 7)])
def test_equal_numbers_with_the_rest_at_the_end(n, slices):
    sizes = np.diff(cut_by_number(n, slices)).tolist()
    assert sizes[:-1] == [n // slices] * (slices - 1)
    assert sizes[-1] == n // slices + n % slices


def test_few_events_fill_the_first_slices():
    assert np.diff(cut_by_number(2, 4)).tolist() == [1, 1, 0, 0]


def test_equal_times_are_half_open_and_the_last_takes_the_rest():
    t = np.array([100, 109, 110, 119, 120, 129, 130, 132])
    # 32 microseconds in 3: slices of 10, the last of 12 with both ends.
    assert cut_by_time(t, 3).tolist() == [0, 2, 4, 8]


def test_equal_times_leave_empty_slices():
    assert cut_by_time(np.array([0, 1, 90, 100]), 10).tolist() == [0, 2, *[2] * 7, 2, 4]


def test_durations_are_half_open():
    t = np.array([7, 16, 17, 36, 37])
    assert cut_by_duration(t, 10).tolist() == [0, 2, 3, 4, 5]


def test_recordings_at_one_moment_are_one_slice():
    t = np.full(5, 3)
    assert cut_by_duration(t, 10).tolist() == [0, 5]
    assert cut_by_time(t, 3).tolist() == [0, 5, 5, 5]


def test_slices_hold_the_events_of_their_times():
    t = recording(400, span=9_999, start=12_345)["t"]
    for cut, width in ((cut_by_time(t, 7), 9_999 // 7), (cut_by_duration(t, 700), 700)):
        for k, (first, last) in enumerate(itertools.pairwise(cut)):
            part = t[first:last] - t[0]
            assert (part >= k * width).all()
            assert (part < (k + 1) * width).all() or k == len(cut) - 2


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, None])
def test_wrong_numbers_are_refused(wrong):
    t = np.arange(3)
    with pytest.raises(ValueError, match="the number of slices must be a whole number of at"):
        cut_by_number(3, wrong)
    with pytest.raises(ValueError, match="the number of slices must be"):
        cut_by_time(t, wrong)
    with pytest.raises(ValueError, match=r"the duration \(in microseconds\) must be"):
        cut_by_duration(t, wrong)
