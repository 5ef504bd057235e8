import numpy as np
import pytest
import torch
from recordings import event_set, recording
from torch.utils.data import DataLoader

from spikeframe.data import FrameSet, Integration, downsample, pad_sequence_collate, to_frames

SENSOR = (2, 5, 7)
FOUR = Integration(frames_number=4, split_by="time")


def frames_of(index, **options):
    return to_frames(recording(20 + index, SENSOR, seed=index), SENSOR, **options)


def test_sample_is_frames_and_a_label():
    frames, label = FrameSet(event_set(), FOUR)[3]
    assert torch.equal(frames, frames_of(3, frames_number=4, split_by="time"))
    assert (label, type(label)) == (1, int)
    assert torch.equal(FrameSet(event_set(), FOUR)[np.int64(3)][0], frames)


@pytest.mark.parametrize("index", [slice(1, 4), [1, 2, 3], torch.tensor([1, 2, 3])])
def test_batch_has_time_first(index):
    x_seq, labels = FrameSet(event_set(), FOUR)[index]
    assert x_seq.shape == (4, 3, *SENSOR)
    assert labels.tolist() == [1, 0, 1]
    for n, i in enumerate((1, 2, 3)):
        assert torch.equal(x_seq[:, n], frames_of(i, frames_number=4, split_by="time"))


@pytest.mark.parametrize(("factor", "shape"), [(1, (2, 5, 7)), (2, (2, 3, 4)), (7, (2, 1, 1))])
def test_pixels_are_joined(factor, shape):
    data = FrameSet(event_set(), Integration(frames_number=2, factor=factor))
    assert data.shape == torch.Size(shape)
    small = downsample(recording(20, SENSOR, seed=0), factor)
    assert torch.equal(data[0][0], to_frames(small, shape, frames_number=2))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
@pytest.mark.parametrize("workers", [0, 2])
def test_ragged_frames_are_padded_by_a_loader(workers, tmp_path):
    data = FrameSet(event_set(), Integration(duration=3_000), cache_dir=tmp_path)
    loader = DataLoader(data, batch_size=3, collate_fn=pad_sequence_collate, num_workers=workers)
    batches = list(loader)
    assert [batch.x_seq.shape[1] for batch in batches] == [3, 3]
    assert sum(int(batch.x_seq.sum()) for batch in batches) == sum(range(20, 26))


def test_cache_is_filled_once_and_read(tmp_path, monkeypatch):
    data = FrameSet(event_set(), FOUR, cache_dir=tmp_path)
    calls = []
    data.prepare(lambda: calls.append(1))
    assert len(calls) == len(list(tmp_path.glob("*/*.npy"))) == 6
    expected = data[:][0]

    def refuse(*_, **__):
        raise AssertionError("counted again")

    monkeypatch.setattr("spikeframe.data.frame_set.to_frames", refuse)
    again = FrameSet(event_set(), FOUR, cache_dir=tmp_path)
    assert torch.equal(again[:][0], expected)
    assert torch.equal(again.take([2, 3])[:][0], expected[:, 2:4])


def test_other_parameters_are_other_frames(tmp_path):
    ways = (
        FOUR,
        Integration(frames_number=4),
        Integration(frames_number=3),
        Integration(duration=100_000),
        Integration(frames_number=4, factor=2),
    )
    for way in ways:
        data = FrameSet(event_set(1, ("a",)), way, cache_dir=tmp_path)
        assert torch.equal(data[0][0], FrameSet(data.events, way)[0][0])
    assert len(list(tmp_path.glob("*/*.npy"))) == len(ways)


def test_without_a_cache_nothing_is_prepared():
    FrameSet(event_set(), FOUR).prepare(lambda: pytest.fail("counted"))


def test_set_has_what_a_split_asks_for():
    data = FrameSet(event_set(), FOUR)
    assert (data.classes, data.shape, len(data)) == (("a", "b"), torch.Size(SENSOR), 6)
    assert data.labels.tolist() == [0, 1] * 3
    assert "frames_number=4" in repr(data)
