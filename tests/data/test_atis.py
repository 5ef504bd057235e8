import gzip

import numpy as np
import pytest
from event_files import atis_bytes
from recordings import recording

from spikeframe.data import DataError, make_events
from spikeframe.data.atis import read_atis, stream_atis

SENSOR = (2, 34, 34)


@pytest.fixture
def events():
    return recording(401, SENSOR, span=300_000)


def write(folder, content):
    path = folder / "00001.bin"
    path.write_bytes(content)
    return path


def marked(t, overflows):
    """Events at times of 23 bits with markers (row 240) in front of some of them."""
    rows = [240 if mark else 5 for mark in overflows]
    return make_events(t, [7] * len(t), rows, [1] * len(t))


@pytest.mark.parametrize("packed", [False, True])
def test_read_returns_what_was_written(tmp_path, events, packed):
    content = atis_bytes(events)
    assert len(content) == 5 * len(events)
    path = write(tmp_path, gzip.compress(content) if packed else content)
    assert np.array_equal(read_atis(path), events)


def test_bits_lie_where_the_format_says(tmp_path):
    path = write(tmp_path, bytes([33, 12, 0b1000_0101, 0x23, 0x45, 1, 2, 0, 0, 9]))
    first, second = read_atis(path)[::-1].tolist()
    assert first == (0x052345, 33, 12, 1)
    assert second == (9, 1, 2, 0)


def test_largest_time_has_23_bits(tmp_path):
    path = write(tmp_path, bytes([0, 0, 0x7F, 0xFF, 0xFF]))
    assert read_atis(path)["t"].tolist() == [2**23 - 1]


@pytest.mark.parametrize("longest", [1, 2, 3, 100])
def test_row_240_says_that_the_clock_ran_over(tmp_path, longest):
    written = marked([10, 20, 30, 30, 40, 50], [False, True, False, True, True, False])
    path = write(tmp_path, atis_bytes(written))
    found = np.concatenate(list(stream_atis(path, longest)))
    assert found["t"].tolist() == [10, 30 + 2**13, 50 + 3 * 2**13]
    assert found["y"].tolist() == [5, 5, 5]


@pytest.mark.parametrize("longest", [1, 7, 401, 1000])
def test_parts_are_bounded_and_join_to_the_whole(tmp_path, events, longest):
    parts = list(stream_atis(write(tmp_path, atis_bytes(events)), longest))
    assert max(map(len, parts)) <= longest
    assert np.array_equal(np.concatenate(parts), events)


def test_events_out_of_order_are_sorted_and_ties_stay(tmp_path, events):
    shuffled = events[np.random.default_rng(0).permutation(len(events))]
    path = write(tmp_path, atis_bytes(shuffled))
    order = np.argsort(shuffled["t"], kind="stable")
    assert np.array_equal(read_atis(path), shuffled[order])
    assert np.array_equal(np.concatenate(list(stream_atis(path))), shuffled)


def test_empty_file_has_no_events(tmp_path):
    assert len(read_atis(write(tmp_path, b""))) == 0


@pytest.mark.parametrize(("cut", "longest"), [(1, 1000), (4, 1000), (3, 2)])
def test_truncated_file_is_named_with_its_offset(tmp_path, events, cut, longest):
    path = write(tmp_path, atis_bytes(events)[:-cut])
    place = 5 * (len(events) - 1)
    match = (
        rf"{path} is damaged: at byte {place}, expected an event of 5 bytes, found {5 - cut} bytes"
    )
    with pytest.raises(DataError, match=match):
        list(stream_atis(path, longest))
