import tracemalloc

import numpy as np
import pytest
import torch
from recordings import recording

from spikeframe.data import make_events, stream_events, stream_frames, to_frames

SENSOR = (2, 5, 7)


def parts(events, sizes):
    return np.split(events, np.cumsum(sizes))


@pytest.mark.parametrize("sizes", [[], [1], [0, 3, 0, 250], [100] * 4, [499]])
@pytest.mark.parametrize("duration", [29, 333, 10_000, 10_001])
def test_streamed_frames_are_those_of_the_whole(sizes, duration):
    events = recording(500, SENSOR, span=10_000, start=12_345)
    frames = list(stream_frames(parts(events, sizes), SENSOR, duration=duration))
    assert torch.equal(torch.stack(frames), to_frames(events, SENSOR, duration=duration))


def test_long_silence_is_frames_without_events():
    events = make_events([0, 95], [0, 1])
    frames = list(stream_frames([events[:1], events[1:]], (1, 1, 2), duration=10))
    assert [frame.sum().item() for frame in frames] == [1, *[0] * 8, 1]


def test_no_events_are_no_frames():
    assert list(stream_frames([recording()[:0]], SENSOR, duration=10)) == []


def test_frames_come_one_at_a_time():
    def source():
        yield recording(50, SENSOR, span=100)
        raise KeyboardInterrupt

    frames = stream_frames(source(), SENSOR, duration=10)
    assert sum(next(frames).sum() for _ in range(10)) > 0
    with pytest.raises(KeyboardInterrupt):
        next(frames)


def test_time_that_goes_back_is_named():
    events = recording(100, SENSOR)
    backwards = stream_frames([events[50:], events[:50]], SENSOR, duration=10**6)
    with pytest.raises(ValueError, match="parts of a recording must be in the order of time, got"):
        list(backwards)
    events["t"][3] = 10**6
    with pytest.raises(ValueError, match="events must be in the order of time"):
        list(stream_frames([events], SENSOR, duration=10))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"the duration \(in microseconds\) must be"):
        list(stream_frames([recording()], SENSOR, duration=0))
    with pytest.raises(ValueError, match="lies off the sensor"):
        list(stream_frames([recording()], (2, 5, 6), duration=10))


@pytest.fixture
def long_recording(tmp_path):
    """Ten million events, 80 MB as AEDAT 2.0, written in parts."""
    n, count = 10**7, 10**5
    words = np.empty((count, 2), ">u4")
    words[:, 0] = np.random.default_rng(0).integers(0, 1 << 15, count)
    path = tmp_path / "long.aedat"
    with open(path, "wb") as file:
        file.write(b"#!AER-DAT2.0\r\n")
        for start in range(0, n, count):
            words[:, 1] = np.arange(start, start + count)
            file.write(words.tobytes())
    return path, n


def test_ten_million_events_need_a_few_megabytes(long_recording):
    path, n = long_recording
    tracemalloc.start()
    total = frames = 0
    for frame in stream_frames(stream_events(path), (2, 128, 128), duration=10**6):
        total, frames = total + int(frame.sum()), frames + 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (total, frames) == (n, 10)
    # The file has 80 MB, its events 160 MB.
    assert peak < 24e6
