import numpy as np
import pytest
from event_files import atis_bytes, write_npz
from recordings import recording

from spikeframe.data.atis import read_atis
from spikeframe.data.class_folders import read_class_folders
from spikeframe.data.recording import read_npz

READERS = {".bin": read_atis, ".npz": read_npz}


def write(folder, *names):
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        events = recording(20 + i, (2, 5, 5), seed=i)
        if name.endswith(".npz"):
            write_npz(folder / name, events)
        else:
            (folder / name).write_bytes(atis_bytes(events))


def test_recordings_are_sorted_by_class_and_number(tmp_path):
    write(tmp_path / "a", "x_10.bin", "x_9.bin", "x_100.npz")
    write(tmp_path / "b", "x_1.bin")
    data = read_class_folders(tmp_path, ("b", "a"), (2, 5, 5), READERS)
    assert data.labels.tolist() == [0, 1, 1, 1]
    assert [len(events) for events, _ in data] == [20, 21, 20, 22]


def test_other_files_are_overlooked(tmp_path):
    write(tmp_path / "a", "1.bin", "._1.bin", "readme.txt", "2.bin.part")
    assert len(read_class_folders(tmp_path, ("a",), (2, 5, 5), READERS)) == 1


def test_folders_may_have_other_names(tmp_path):
    write(tmp_path / "0", "1.bin")
    data = read_class_folders(tmp_path, ("clap",), (2, 5, 5), READERS, names=("0",))
    assert data.classes == ("clap",)
    assert np.array_equal(data[0][0], recording(20, (2, 5, 5)))


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: write(p, "x")])
def test_class_without_recordings_is_named(tmp_path, make):
    write(tmp_path / "a", "1.bin")
    make(tmp_path / "b")
    match = rf"{tmp_path}/b holds no recording \(.bin or .npz\): unpack the data set anew"
    with pytest.raises(FileNotFoundError, match=match):
        read_class_folders(tmp_path, ("a", "b"), (2, 5, 5), READERS)
