import gzip

import numpy as np
import pytest
from event_files import aedat2_bytes, aedat31_bytes, atis_bytes, write_npz
from recordings import recording

from spikeframe.data import DataError, make_events, read_events, stream_events


@pytest.fixture
def events():
    return recording(301, (2, 34, 34), span=300_000)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "spell"),
    [("a.bin", atis_bytes), ("a.aedat", aedat2_bytes), ("b.aedat", aedat31_bytes)],
)
def test_published_formats_are_told_apart(tmp_path, events, name, spell, packed):
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(spell(events)) if packed else spell(events))
    assert np.array_equal(read_events(path), events)
    assert np.array_equal(np.concatenate(list(stream_events(str(path), 150))), events)


def test_npz_is_spikingjellys(tmp_path, events):
    shuffled = events[::-1]
    write_npz(tmp_path / "a.npz", shuffled)
    expected = shuffled[np.argsort(shuffled["t"], kind="stable")]
    assert np.array_equal(read_events(tmp_path / "a.npz"), expected)


def test_npy_may_hold_events(tmp_path, events):
    np.save(tmp_path / "a.npy", events)
    assert np.array_equal(read_events(tmp_path / "a.npy"), events)
    tonic = np.zeros(len(events), [("x", np.int16), ("y", np.int16), ("p", bool), ("t", np.int64)])
    for name in "xypt":
        tonic[name] = events[name]
    np.save(tmp_path / "a.npy", tonic[::-1])
    assert np.array_equal(read_events(tmp_path / "a.npy")["t"], events["t"])


def test_npy_may_hold_columns_with_milliseconds(tmp_path):
    columns = np.array([[3.0, 4, 1, 2.001], [5, 6, 0, 1.5]])
    np.save(tmp_path / "a.npy", columns)
    expected = make_events([1500, 2001], [5, 3], [6, 4], [0, 1])
    assert np.array_equal(read_events(tmp_path / "a.npy"), expected)


def save_npz(path, **fields):
    with open(path, "wb") as file:
        np.savez(file, **fields)


@pytest.mark.parametrize(
    ("name", "write", "text"),
    [
        ("a.txt", lambda p: p.write_bytes(b"text"), "is not a recording that is read here, which"),
        ("a.bin", lambda p: p.write_bytes(b"1234567"), "a.bin is damaged: at byte 5"),
        ("a.npz", lambda p: p.write_bytes(b"PK no"), "at byte 0, .* an .npz .*found b'PK n'"),
        ("a.npz", lambda p: p.mkdir(), "a.npz cannot be read"),
        ("a.npz", lambda p: save_npz(p, t=[1], x=[1]), "its entries, .*, found '?.*y"),
        ("a.npz", lambda p: save_npz(p, t=[1.5], x=[1], y=[1], p=[1]), "t must hold whole"),
        (
            "a.npz",
            lambda p: save_npz(p, t=[1], x=[1, 2], y=[1], p=[1]),
            "of different shapes",
        ),
        ("a.npy", lambda p: np.save(p, np.zeros(3)), "its array, expected an .npy of events, or"),
        ("a.npy", lambda p: np.save(p, np.full((2, 4), np.nan)), "found nan or inf"),
        ("a.npy", lambda p: np.save(p, np.full((2, 4), -5.0)), "x must be within"),
        ("a.npy", lambda p: p.write_bytes(b"\x93NUMPY"), "at byte 6, its end"),
        ("a.npy", lambda p: p.write_bytes(b""), "at byte 0, .*, found an empty file"),
    ],
)
def test_other_content_is_named(tmp_path, name, write, text):
    write(tmp_path / name)
    with pytest.raises(DataError, match=text):
        read_events(tmp_path / name)


@pytest.mark.parametrize("left", [20, 100, 2000, -1])
@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_truncated_npz_and_npy_are_named_with_their_offset(tmp_path, events, name, left):
    path = tmp_path / name
    (write_npz if name == "a.npz" else np.save)(path, events)
    content = path.read_bytes()[:left]
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path} is damaged: at byte {len(content)}, its end"):
        read_events(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"there is no file {tmp_path}/a.bin"):
        stream_events(tmp_path / "a.bin")
