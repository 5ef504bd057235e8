import pytest
import torch
from event_files import write_gesture, write_n_mnist

from spikeframe.cli.errors import CommandError
from spikeframe.cli.group import Group
from spikeframe.cli.options import complete
from spikeframe.cli.samples import load_samples, prepare, recordings_to_prepare
from spikeframe.data import FrameSet, load_n_mnist, to_frames


@pytest.fixture
def source(tmp_path):
    write_n_mnist(tmp_path / "data", per_class=4)
    return tmp_path / "data"


def load(source, **given):
    return load_samples(complete({"data": "n-mnist", "data_dir": str(source), **given}))


def test_recordings_become_frames_as_the_options_say(source):
    for split_by in ("time", "number"):
        split = load(source, steps=3, split_by=split_by, validation=0.0)
        events, label = load_n_mnist(source).test[5]
        expected = to_frames(events, (2, 34, 34), frames_number=3, split_by=split_by)
        assert torch.equal(split.test[5][0], expected)
        assert split.test[5][1] == label
    assert split.valid is None


def test_validation_set_is_drawn_from_the_training_set_alone(source):
    whole = load(source, validation=0.0)
    split = load(source, validation=0.25)
    assert len(split.test) == len(whole.test) == 40
    assert (len(split.train), len(split.valid)) == (30, 10)
    assert split.valid.labels.tolist() == list(range(10))
    keys = [{r.key() for r in part.events.recordings} for part in (split.train, split.valid)]
    assert keys[0] | keys[1] == {r.key() for r in whole.train.events.recordings}
    assert not keys[0] & keys[1]


def test_validation_set_depends_on_the_seed(source):
    def chosen(seed):
        valid = load(source, validation=0.25, seed=seed).valid
        return [recording.key() for recording in valid.events.recordings]

    assert chosen(1) == chosen(1) != chosen(2)


def test_images_may_have_a_validation_set():
    split = load_samples(complete({"validation": 0.1}))
    assert len(split.train) + len(split.valid) == 1437
    assert load_samples(complete({})).valid is None


def test_frames_are_kept_beside_the_data_or_where_asked(source, tmp_path):
    load(source).train[0]
    assert len(list((source / "spikeframe-frames").glob("*/*.npy"))) == 1
    load(source, cache_dir=str(tmp_path / "own")).train[0]
    assert len(list((tmp_path / "own").glob("*/*.npy"))) == 1


def test_embedded_recordings_are_not_kept():
    split = load_samples(complete({"data": "event-digits"}))
    assert split.train.cache is None
    assert recordings_to_prepare(split, Group()) == 0


@pytest.mark.parametrize("size", [1, 3])
def test_preparing_is_shared_and_leaves_nothing_to_count(source, size, monkeypatch):
    counted = []
    split = load(source)
    for rank in range(size):
        group = Group(rank, size)
        calls = []
        prepare(split, group, lambda calls=calls: calls.append(1))
        assert len(calls) == recordings_to_prepare(split, group)
        counted += calls
    assert len(counted) == 80

    def refuse(*_):
        raise AssertionError("counted again")

    monkeypatch.setattr("spikeframe.data.frame_set.to_frames", refuse)
    for part in (split.train, split.valid, split.test):
        assert isinstance(part, FrameSet)
        part[:]


def test_cache_that_cannot_be_written_is_told(source):
    (source / "spikeframe-frames").write_text("a file")
    with pytest.raises(CommandError, match=r"frames cannot be kept .* with --cache-dir"):
        prepare(load(source), Group(), lambda: None)


def test_damaged_recording_is_told(source):
    path = source / "Train" / "3" / "00002.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CommandError, match=f"{path} is damaged: at byte 1495"):
        prepare(load(source), Group(), lambda: None)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"data": "n-mnist", "data_dir": "nowhere"}, "n-mnist was not found"),
        ({"data": "n-mnist", "split": "first"}, "'n-mnist' is published .* got split='first'"),
        ({"data": "event-digits", "split": "first"}, "split must be 'random' or 'writers'"),
        ({"data": "event-digits", "data_dir": "x"}, "'event-digits' come with scikit-learn"),
    ],
)
def test_what_does_not_go_together_is_told(given, text):
    with pytest.raises(CommandError, match=text):
        load_samples(complete(given))


def test_a_published_validation_set_is_used(tmp_path):
    pytest.importorskip("h5py")
    from event_files import write_heidelberg

    for part, n in {"train": 70, "test": 36, "valid": 35}.items():
        write_heidelberg(tmp_path / f"ssc_{part}.h5", n, classes=35)
    given = {"data": "ssc", "data_dir": str(tmp_path)}
    assert len(load_samples(complete(given)).valid) == 35
    with pytest.raises(CommandError, match="published with a validation set.*--validation out"):
        load_samples(complete({**given, "validation": 0.1}))


def test_gesture_files_are_read_once_while_preparing(tmp_path, monkeypatch):
    from spikeframe.data import gesture

    write_gesture(tmp_path)
    read, original = [], gesture.read_aedat31
    monkeypatch.setattr(gesture, "read_aedat31", lambda p: read.append(p.stem) or original(p))
    given = {"data": "dvs-gesture", "data_dir": str(tmp_path), "steps": 2, "validation": 0.0}
    prepare(load_samples(complete(given)), Group(), lambda: None)
    assert read == ["user01_led", "user02_led", "user03_led"]
    assert load_samples(complete(given)).train[:2][0].shape == (2, 2, 2, 128, 128)
