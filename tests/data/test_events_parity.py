"""Frames and readers equal SpikingJelly's and tonic's, live; what differs is counted exactly."""

import numpy as np
import pytest
import torch
from event_files import (
    aedat2_bytes,
    aedat31_bytes,
    atis_bytes,
    write_gesture,
    write_heidelberg,
    write_n_mnist,
)
from peer_datasets import spikingjelly_datasets, tonic
from recordings import recording

from spikeframe.data import (
    from_dataset,
    load_dvs_gesture,
    load_n_mnist,
    load_shd,
    make_events,
    pad_sequence_collate,
    padded_sequence_mask,
    read_events,
    to_frames,
    to_voxels,
)

pytestmark = pytest.mark.parity

SENSOR = (2, 34, 34)


@pytest.fixture(scope="module")
def spikingjelly():
    return spikingjelly_datasets("utils")


@pytest.fixture(scope="module")
def transforms():
    return tonic("tonic.transforms")


def columns(events, dtype=np.int64):
    """As SpikingJelly keeps events."""
    return {name: events[name].astype(dtype) for name in "txyp"}


def tonics(events):
    """As tonic keeps them; its transforms change what they are given."""
    own = np.zeros(len(events), [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i8")])
    for name in "xytp":
        own[name] = events[name]
    return own


@pytest.mark.parametrize("split_by", ["number", "time"])
@pytest.mark.parametrize("T", [1, 4, 10, 16])
@pytest.mark.parametrize("n", [500, 1003, 100_000])
def test_frames_equal_spikingjellys(spikingjelly, split_by, T, n):
    events = recording(n, SENSOR, span=300_007, seed=T)
    theirs = spikingjelly.integrate_events_by_fixed_frames_number(
        columns(events), split_by, T, 34, 34
    )
    ours = to_frames(events, SENSOR, frames_number=T, split_by=split_by)
    assert np.array_equal(ours.numpy(), theirs)


def test_spikingjelly_fails_where_a_slice_is_empty(spikingjelly):
    events = make_events([0, 1, 90, 100], [0, 1, 2, 3])
    with pytest.raises(IndexError):
        spikingjelly.integrate_events_by_fixed_frames_number(columns(events), "time", 10, 34, 34)
    ours = to_frames(events, SENSOR, frames_number=10, split_by="time")
    assert ours.sum((1, 2, 3)).tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]


@pytest.mark.parametrize("duration", [999, 30_000, 299_999])
def test_frames_of_a_duration_equal_spikingjellys(spikingjelly, duration):
    events = recording(2000, SENSOR, span=300_007)
    theirs = spikingjelly.integrate_events_by_fixed_duration(columns(events), duration, 34, 34)
    assert np.array_equal(to_frames(events, SENSOR, duration=duration).numpy(), theirs)


def test_an_event_at_a_whole_number_of_durations_begins_a_frame_here(spikingjelly):
    events = recording(2000, SENSOR, span=300_000)
    theirs = spikingjelly.integrate_events_by_fixed_duration(columns(events), 30_000, 34, 34)
    ours = to_frames(events, SENSOR, duration=30_000).numpy()
    assert (len(theirs), len(ours)) == (10, 11)
    assert np.array_equal(ours[:9], theirs[:9])
    assert np.array_equal(ours[9] + ours[10], theirs[9])


def test_batches_equal_spikingjellys_with_time_first(spikingjelly):
    samples = [(torch.rand(n, 2, 3), n % 3) for n in (4, 1, 6)]
    theirs, labels, lengths = spikingjelly.pad_sequence_collate(samples)
    ours = pad_sequence_collate(samples)
    assert torch.equal(ours.x_seq, theirs.transpose(0, 1))
    assert torch.equal(ours.labels, labels)
    assert torch.equal(ours.lengths, lengths)
    assert torch.equal(ours.mask, spikingjelly.padded_sequence_mask(lengths))
    assert torch.equal(
        padded_sequence_mask(lengths, 9), spikingjelly.padded_sequence_mask(lengths, 9)
    )


def assert_same(events, theirs):
    for name in "txyp":
        assert np.array_equal(events[name], theirs[name]), name


def test_files_read_as_spikingjelly_reads_them(spikingjelly, tmp_path):
    events = recording(900, (2, 128, 128), span=10**6)
    cifar = spikingjelly_datasets("cifar10_dvs")
    for name, spell, read in (
        ("a.bin", atis_bytes, spikingjelly.load_ATIS_bin),
        ("b.aedat", aedat31_bytes, spikingjelly.load_aedat_v3),
        ("c.aedat", aedat2_bytes, vars(cifar)["_load_origin_data"]),
    ):
        (tmp_path / name).write_bytes(spell(events))
        assert_same(read_events(tmp_path / name), read(tmp_path / name))


def test_gestures_are_cut_as_spikingjelly_cuts_them(tmp_path):
    module = spikingjelly_datasets("dvs128_gesture")
    write_gesture(tmp_path)
    for label in range(11):
        (tmp_path / "np" / str(label)).mkdir(parents=True)
    vars(module)["_split_aedat_files_to_np"](
        "user03_led",
        tmp_path / "user03_led.aedat",
        tmp_path / "user03_led_labels.csv",
        tmp_path / "np",
    )
    for events, label in load_dvs_gesture(tmp_path).test:
        assert_same(events, np.load(tmp_path / "np" / str(label) / "user03_led_0.npz"))


def test_overflow_is_read_as_tonic_reads_it_and_not_spikingjelly(spikingjelly, tmp_path):
    events = recording(300, SENSOR, span=8_000)
    events["y"][[50, 200]] = 240
    path = tmp_path / "a.bin"
    path.write_bytes(atis_bytes(events))
    ours = read_events(path)
    kinds = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    assert_same(ours, tonic("tonic.io").read_mnist_file(str(path), kinds))
    assert ours["t"][-1] == 8_000 + 2 * 2**13
    # There the marks are events of a row that does not exist.
    theirs = spikingjelly.load_ATIS_bin(path)
    assert (len(ours), len(theirs["y"])) == (298, 300)


@pytest.mark.parametrize("T", [1, 4, 16])
def test_tonic_loses_the_events_at_the_end(transforms, T):
    events = recording(3000, SENSOR, span=300_007)
    theirs = transforms.ToFrame(sensor_size=(34, 34, 2), n_time_bins=T)(tonics(events))
    ours = to_frames(events, SENSOR, frames_number=T, split_by="time").numpy()
    assert np.array_equal(ours[:-1], theirs[:-1])
    lost = events[events["t"] >= 300_007 // T * T]
    assert len(lost) > 0
    assert ours.sum() - theirs.sum() == len(lost)
    assert np.array_equal(
        ours[-1] - theirs[-1], to_frames(lost, SENSOR, frames_number=1)[0].numpy()
    )


@pytest.mark.parametrize("T", [4, 7])
def test_tonic_loses_what_is_left_over_by_number(transforms, T):
    events = recording(1001, SENSOR)
    theirs = transforms.ToFrame(sensor_size=(34, 34, 2), n_event_bins=T)(tonics(events))
    ours = to_frames(events, SENSOR, frames_number=T).numpy()
    assert np.array_equal(ours[:-1], theirs[:-1])
    assert ours.sum() - theirs.sum() == 1001 % T


def test_windows_equal_tonics(transforms):
    events = recording(2000, SENSOR, span=300_007)
    to_frame = transforms.ToFrame(
        sensor_size=(34, 34, 2), time_window=30_000, include_incomplete=True
    )
    ours = to_frames(events, SENSOR, duration=30_000)
    assert np.array_equal(ours.numpy(), to_frame(tonics(events)))


@pytest.mark.parametrize("bins", [1, 5, 12])
def test_voxels_are_tonics_with_the_last_bin_kept(transforms, bins):
    """tonic scales time to B bins and drops what falls to bin B."""
    events = recording(2000, SENSOR, span=300_007)
    theirs = transforms.ToVoxelGrid(sensor_size=(34, 34, 2), n_time_bins=bins)(tonics(events))
    ours = to_voxels(events, SENSOR, bins + 1)[:-1].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_tonics_n_mnist_is_taken_as_it_is(tmp_path):
    datasets = tonic("tonic.datasets")
    write_n_mnist(tmp_path / "NMNIST")
    kind = type("NMNIST", (datasets.NMNIST,), {"_check_exists": lambda self: True})
    theirs, ours = from_dataset(kind(str(tmp_path), train=False)), load_n_mnist(tmp_path).test
    assert theirs.sensor == ours.sensor
    assert theirs.labels.tolist() == ours.labels.tolist()
    for i in range(len(ours)):
        assert np.array_equal(theirs[i][0], ours[i][0])


def test_tonics_shd_is_taken_as_it_is(tmp_path):
    datasets = tonic("tonic.datasets")
    for part, n in {"train": 40, "test": 20}.items():
        write_heidelberg(tmp_path / "SHD" / f"shd_{part}.h5", n)
        (tmp_path / "SHD" / f"shd_{part}.h5.zip").write_bytes(b"")
    theirs, ours = from_dataset(datasets.SHD(str(tmp_path))), load_shd(tmp_path).train
    assert (theirs.sensor, theirs.classes) == (ours.sensor, ours.classes)
    for i in range(len(ours)):
        assert np.array_equal(theirs[i][0]["x"], ours[i][0]["x"])
        # Seconds become microseconds: cut off there, rounded here.
        gap = ours[i][0]["t"] - theirs[i][0]["t"]
        assert 0 <= gap.min() <= gap.max() <= 1


def test_tonics_gesture_is_taken_as_it_is(tmp_path):
    datasets = tonic("tonic.datasets")
    for part in ("Train", "Test"):
        folder = tmp_path / "DVSGesture" / f"ibmGesture{part}" / "user01_led"
        folder.mkdir(parents=True)
        for label in range(3):
            events = recording(50, (2, 128, 128), span=6_000, seed=label)
            np.save(folder / f"{label}.npy", np.stack([events[c] for c in "xypt"], 1) * 1.0)
    kind = type("DVSGesture", (datasets.DVSGesture,), {"_check_exists": lambda self: True})
    theirs, ours = from_dataset(kind(str(tmp_path))), load_dvs_gesture(tmp_path).train
    found = {(int(label), tuple(events.tolist())) for events, label in theirs}
    assert found == {(label, tuple(events.tolist())) for events, label in ours}
