import os
import pickle

import numpy as np
import pytest
import torch
from recordings import event_set, recording

from spikeframe.data import EventSet, Split
from spikeframe.data.event_set import file_key

SENSOR = (2, 5, 7)


def test_sample_is_events_and_a_label():
    data = event_set()
    events, label = data[3]
    assert np.array_equal(events, recording(23, SENSOR, seed=3))
    assert (label, type(label)) == (1, int)
    assert len(data) == len(list(data)) == 6
    assert data.shape == torch.Size(SENSOR)
    assert repr(data) == "EventSet(6 recordings [2, 5, 7], 2 classes)"


@pytest.mark.parametrize("index", [slice(1, 4), [1, 2, 3], torch.tensor([1, 2, 3])])
def test_take_keeps_recordings_and_labels_together(index):
    part = event_set().take(index)
    assert [len(events) for events, _ in part] == [21, 22, 23]
    assert part.labels.tolist() == [1, 0, 1]
    assert part.classes == ("a", "b")


def test_set_travels_to_other_processes():
    data = pickle.loads(pickle.dumps(event_set()))
    assert np.array_equal(data[2][0], event_set()[2][0])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"recordings": []}, "a set must hold at least one recording, got none"),
        ({"labels": torch.zeros(5).long()}, r"labels must be int64 and \[6\], .*\[5\]"),
        ({"labels": torch.zeros(6)}, r"labels must be int64 and \[6\].* got torch.float32"),
        ({"labels": torch.full((6,), 2)}, r"labels must lie in 0..1 for 2 classes, got 2..2"),
        ({"labels": torch.full((6,), -1)}, r"labels must lie in 0..1 .* got -1..-1"),
        ({"sensor": (5, 7)}, "sensor must be"),
    ],
)
def test_wrong_sets_are_refused(change, text):
    data = event_set()
    fields = {name: getattr(data, name) for name in ("recordings", "labels", "classes", "sensor")}
    with pytest.raises(ValueError, match=text):
        EventSet(**fields | change)


def test_splits_hold_sets_of_one_kind():
    split = Split(event_set(), event_set(4), event_set(2))
    train, test = split
    assert (len(train), len(test), len(split.valid)) == (6, 4, 2)
    with pytest.raises(ValueError, match="train and valid must have the same classes"):
        Split(event_set(), event_set(), event_set(2, classes=("a", "c")))
    with pytest.raises(ValueError, match="train and test must have images of one shape"):
        Split(event_set(), event_set(sensor=(1, 5, 7)))


def test_file_key_changes_with_the_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    keys = [file_key(path), file_key(path, 1), file_key(path, 2)]
    assert file_key(path) == keys[0]
    path.write_bytes(b"four")
    keys.append(file_key(path))
    os.utime(path, ns=(1, 1))
    keys.append(file_key(path))
    assert len(set(keys)) == 5
