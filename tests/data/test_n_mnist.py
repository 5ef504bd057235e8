import numpy as np
import pytest
from event_files import write_n_mnist, write_npz

from spikeframe.data import DataError, load_n_mnist


def check(split, written):
    assert split.train.sensor == (2, 34, 34)
    for data, part in ((split.train, "Train"), (split.test, "Test")):
        expected = {path: events for path, events in written.items() if path.startswith(part)}
        assert len(data) == len(expected) == 20
        for (events, label), (path, own) in zip(data, expected.items(), strict=True):
            assert np.array_equal(events, own)
            assert data.classes[label] == path.split("/")[1]


@pytest.mark.parametrize("folder", [".", "N-MNIST", "NMNIST", "extract"])
def test_load_reads_the_published_files(tmp_path, folder):
    written = write_n_mnist(tmp_path / folder)
    check(load_n_mnist(tmp_path), written)


def test_load_reads_spikingjellys_files(tmp_path):
    written = write_n_mnist(tmp_path / "source")
    for path, events in written.items():
        part, label, name = path.split("/")
        write_npz(tmp_path / "events_np" / part.lower() / label / f"{name[:-4]}.npz", events)
    check(load_n_mnist(tmp_path), written)


def test_missing_set_says_where_and_whence(tmp_path):
    (tmp_path / "Train.zip").write_bytes(b"")
    (tmp_path / "N-MNIST" / "Train").mkdir(parents=True)
    with pytest.raises(FileNotFoundError) as caught:
        load_n_mnist(tmp_path)
    text = str(caught.value)
    for part in (
        f"n-mnist was not found: looked for Train/, Test/ in {tmp_path}/N-MNIST or {tmp_path}",
        f"train/, test/ in {tmp_path}/N-MNIST/events_np or ",
        f"{tmp_path}/N-MNIST has only some of them, it lacks Test/",
        f"{tmp_path}/Train.zip must be unpacked first",
        "published at https://www.garrickorchard.com/datasets/n-mnist",
        "(nothing is downloaded for you)",
    ):
        assert part in text
    assert ".gz" not in text


def test_truncated_recording_is_named_when_it_is_read(tmp_path):
    write_n_mnist(tmp_path)
    path = tmp_path / "Test" / "0" / "00001.bin"
    path.write_bytes(path.read_bytes()[:-2])
    test = load_n_mnist(tmp_path).test
    with pytest.raises(DataError, match=f"{path} is damaged: at byte 1495, expected an event"):
        test[0]
