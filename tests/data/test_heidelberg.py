import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from spikeframe.data import DataError, load_shd, load_ssc

h5py = pytest.importorskip("h5py")
from event_files import write_heidelberg  # noqa: E402


def write_shd(root):
    return {part: write_heidelberg(root / f"shd_{part}.h5", n) for part, n in SIZES.items()}


SIZES = {"train": 40, "test": 23}


@pytest.mark.parametrize("folder", [".", "SHD", "events_h5"])
def test_load_reads_the_published_files(tmp_path, folder):
    written = write_shd(tmp_path / folder)
    split = load_shd(tmp_path)
    for data, (part, n) in zip(split, SIZES.items(), strict=True):
        assert len(data) == n
        assert data.sensor == (1, 1, 700)
        for i, (events, label) in enumerate(data):
            times, units = written[part][i]
            assert label == i % 20
            assert events["t"].tolist() == np.rint(times.astype(float) * 1e6).tolist()
            assert events["x"].tolist() == units.tolist()
            assert set(events["p"]) == set(events["y"]) == {0}


def test_classes_are_the_words_of_the_file(tmp_path):
    write_shd(tmp_path)
    assert load_shd(tmp_path).train.classes[3] == "word 3"
    for part in SIZES:
        write_heidelberg(tmp_path / f"shd_{part}.h5", keys=False)
    assert load_shd(tmp_path).train.classes[3] == "3"


def test_commands_have_a_validation_set(tmp_path):
    for part, n in {"train": 70, "test": 36, "valid": 35}.items():
        write_heidelberg(tmp_path / "SSC" / f"ssc_{part}.h5", n, classes=35)
    split = load_ssc(tmp_path)
    assert (len(split.train), len(split.test), len(split.valid)) == (70, 36, 35)
    assert len(split.valid.classes) == 35


def lengths(data):
    return [len(events) for events, _ in data]


def test_other_processes_open_the_file_themselves(tmp_path):
    write_shd(tmp_path)
    train = load_shd(tmp_path).train
    own = lengths(train)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        assert pool.submit(lengths, train).result() == own


def test_packed_files_are_pointed_out(tmp_path):
    for name in ("shd_train.h5.gz", "shd_test.h5.zip"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(FileNotFoundError) as caught:
        load_shd(tmp_path)
    text = str(caught.value)
    assert "looked for shd_train.h5, shd_test.h5 in" in text
    assert f"{tmp_path}/shd_train.h5.gz must be unpacked first" in text
    assert f"{tmp_path}/shd_test.h5.zip must be unpacked first" in text
    assert "published at https://zenkelab.org" in text


def change(path, name, values):
    with h5py.File(path, "r+") as file:
        del file[name]
        if values is not None:
            file[name] = values


def test_damaged_files_are_named(tmp_path):
    write_shd(tmp_path)
    path = tmp_path / "shd_test.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=f"{path} is damaged: at byte {len(whole) // 2}, its end"):
        load_shd(tmp_path)
    for name, values, text in (
        ("labels", None, "expected HDF5 with spikes/times, spikes/units, labels"),
        ("labels", np.zeros(7, np.uint16), r"at 'spikes', expected 7 recordings.*found \[23\]"),
        ("labels", np.full(23, 20), "at 'labels', item 0, expected a label from 0 to 19"),
        ("spikes", None, "expected HDF5"),
    ):
        path.write_bytes(whole)
        change(path, name, values)
        with pytest.raises(DataError, match=f"{path} is damaged: .*{text}"):
            load_shd(tmp_path)


def test_damaged_spikes_are_named_when_they_are_read(tmp_path):
    write_shd(tmp_path)
    path = tmp_path / "shd_train.h5"
    data = load_shd(tmp_path).train
    with h5py.File(path, "r+") as file:
        file["spikes/units"][2] = np.zeros(3, np.uint16)
    with pytest.raises(DataError, match="recording 2 has 82 times and 3 units"):
        data[2]


def test_missing_h5py_says_what_to_install(tmp_path, monkeypatch):
    write_shd(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"h5py does not import .* 'spikeframe\[hdf5\]'"):
        load_shd(tmp_path)
