import numpy as np
import pytest
import torch
from recordings import recording

from spikeframe.data import EventSet, FrameSet, Integration, from_dataset


class Picture:
    """What numpy sees of a PIL image: an array interface over read-only memory."""

    def __init__(self, values):
        self.values = values
        self.values.setflags(write=False)

    def __array__(self, dtype=None, copy=None):
        return self.values


class Named(list):
    classes = ("cat", "dog")


RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (2, 4, 6), np.uint8)
COLOUR = RNG.integers(0, 256, (2, 4, 6, 3), np.uint8)


@pytest.mark.parametrize("wrap", [np.array, Picture])
def test_from_dataset_reads_grey_arrays(wrap):
    data = from_dataset([(wrap(GREY[0].copy()), 0), (wrap(GREY[1].copy()), 1)])
    assert torch.equal(data.images[:, 0], torch.from_numpy(GREY).float() / 255)
    assert data.labels.tolist() == [0, 1]


@pytest.mark.parametrize("wrap", [np.array, Picture])
def test_from_dataset_moves_channels_first(wrap):
    data = from_dataset([(wrap(COLOUR[0].copy()), 1), (wrap(COLOUR[1].copy()), 0)])
    expected = torch.from_numpy(COLOUR).permute(0, 3, 1, 2).float() / 255
    assert data.shape == (3, 4, 6)
    assert torch.equal(data.images, expected)


def test_from_dataset_keeps_tensors():
    images = torch.rand(2, 3, 4, 6)
    data = from_dataset([(images[0], torch.tensor(2)), (images[1], np.int64(0))])
    assert torch.equal(data.images, images)
    assert data.labels.tolist() == [2, 0]
    assert data.classes == ("0", "1", "2")


def test_from_dataset_scales_byte_tensors():
    data = from_dataset([(torch.full((1, 2, 2), 51, dtype=torch.uint8), 0)])
    assert torch.equal(data.images, torch.full((1, 1, 2, 2), 0.2))


def test_from_dataset_takes_class_names():
    pairs = Named([(GREY[0], 1)])
    assert from_dataset(pairs).classes == ("cat", "dog")
    assert from_dataset(pairs, classes=["x", "y"]).classes == ("x", "y")


@pytest.mark.parametrize(
    ("pairs", "error", "match"),
    [
        ([], ValueError, "at least one sample, got an empty one"),
        (
            [(GREY[0], 0), (GREY[0, 1:], 0)],
            ValueError,
            r"one shape, got \[\(1, 3, 6\), \(1, 4, 6\)",
        ),
        ([(GREY[0].astype(int), 0)], TypeError, "uint8 or floating point, got torch.int64"),
        ([(GREY[0, 0], 0)], ValueError, r"\[H, W\] or \[H, W, C\], got \[6\]"),
        ([(GREY[0] * 2.0 + 1, 0)], ValueError, r"must lie in \[0, 1\]"),
        ([(GREY[0], -1)], ValueError, "labels must lie in"),
    ],
)
def test_from_dataset_refuses(pairs, error, match):
    with pytest.raises(error, match=match):
        from_dataset(pairs)


class TonicLike:
    """What tonic's datasets have: targets apart, the sensor as (width, height, polarities)."""

    sensor_size = (7, 5, 2)
    transform = target_transform = transforms = None

    def __init__(self, n=4):
        self.targets = [i % 2 for i in range(n)]
        self.read = 0

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        self.read += 1
        events = recording(20 + i, (2, 5, 7), seed=i)
        own = np.zeros(len(events), [("x", "i2"), ("y", "i2"), ("p", bool), ("t", "i8")])
        for name in "xypt":
            own[name] = events[name]
        return own, self.targets[i]


def test_events_are_read_when_they_are_asked_for():
    source = TonicLike()
    data = from_dataset(source)
    assert isinstance(data, EventSet)
    assert source.read == 1  # to see what it holds
    assert data.labels.tolist() == [0, 1, 0, 1]
    assert data.sensor == (2, 5, 7)
    assert np.array_equal(data[2][0], recording(22, (2, 5, 7), seed=2))
    assert source.read == 2


def test_labels_that_are_changed_are_read():
    source = TonicLike()
    source.target_transform = lambda label: 1 - label
    source.targets = [1, 0, 1, 0]
    assert from_dataset(source, classes=("a", "b")).labels.tolist() == [1, 0, 1, 0]
    assert source.read == 5


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ({"cat": 0, "dog": 1}, ("cat", "dog")),
        (np.array([b"eins", b"zwei"]), ("eins", "zwei")),
        (None, ("0", "1")),
    ],
)
def test_names_of_event_classes(classes, names):
    source = TonicLike()
    source.classes = classes
    assert from_dataset(source).classes == names


def test_an_ear_of_tonics_has_polarity_zero_here():
    events = np.zeros(3, [("t", int), ("x", int), ("p", int)])
    events["t"], events["x"], events["p"] = [1, 2, 3], [4, 5, 6], 1
    source = [(events, 0), (events, 1)]
    data = from_dataset(source, sensor=(1, 1, 700))
    assert data[1][0].tolist() == [(1, 4, 0, 0), (2, 5, 0, 0), (3, 6, 0, 0)]


class SpikingJellyLike(list):
    @staticmethod
    def get_H_W():
        return 5, 7


def test_spikingjellys_mappings_are_events():
    events = recording(30, (2, 5, 7))
    sample = {name: events[name].astype(np.int64) for name in "txyp"}
    data = from_dataset(SpikingJellyLike([(sample, 3)]))
    assert data.sensor == (2, 5, 7)
    assert np.array_equal(data[0][0], events)


def test_events_without_a_sensor_ask_for_it():
    events = recording(30, (2, 5, 7))
    with pytest.raises(ValueError, match=r"not known: give sensor=\(polarities, height, width\)"):
        from_dataset([(events, 0)])


def test_frames_are_kept_where_files_tell_the_recordings_apart(tmp_path):
    source, whole = TonicLike(), Integration(frames_number=2)
    data = FrameSet(from_dataset(source), whole, cache_dir=tmp_path / "frames")
    with pytest.raises(ValueError, match="what TonicLike reads cannot be told .* no cache_dir"):
        data[0]
    source.data = [str(tmp_path / f"{i}.bin") for i in range(4)]
    for i in range(4):
        (tmp_path / f"{i}.bin").write_bytes(b"")
    for _ in range(2):
        assert data[:][0].sum((0, 2, 3, 4)).tolist() == [20, 21, 22, 23]
    assert len(list((tmp_path / "frames").glob("*/*.npy"))) == 4
    source.transform = lambda events: events[:1]
    with pytest.raises(ValueError, match="cannot be told"):
        data[0]


def test_spikingjellys_samples_are_files(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"")
    source = SpikingJellyLike([(dict.fromkeys("txyp", np.array([1])), 0)])
    source.samples = [(str(tmp_path / "a.npz"), 0)]
    assert str(tmp_path / "a.npz") in from_dataset(source).recordings[0].key()
