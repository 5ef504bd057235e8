import gzip
import pickle

import numpy as np
import pytest

from spikeframe.data import DataError, files
from spikeframe.data.files import Layout, Source, check_labels, damaged, find, read_content

SOURCE = Source(
    "toy",
    (Layout(("a", "b"), ("first", ".")), Layout(("whole",), (".",))),
    "https://example.org/toy",
)


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


def test_find_takes_first_complete_folder(tmp_path):
    touch(tmp_path / "first", "a")
    touch(tmp_path, "a", "b.gz", "whole")
    layout, paths = find(SOURCE, tmp_path)
    assert layout is SOURCE.layouts[0]
    assert paths == (tmp_path / "a", tmp_path / "b.gz")


def test_find_prefers_named_folder_and_plain_file(tmp_path):
    touch(tmp_path, "a", "b")
    touch(tmp_path / "first", "a", "a.gz", "b")
    assert find(SOURCE, tmp_path)[1] == (tmp_path / "first/a", tmp_path / "first/b")


def test_find_falls_through_to_later_layout(tmp_path):
    touch(tmp_path, "a", "whole")
    layout, paths = find(SOURCE, str(tmp_path))
    assert layout is SOURCE.layouts[1]
    assert paths == (tmp_path / "whole",)


def test_find_expands_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    touch(tmp_path / "toys", "whole")
    assert find(SOURCE, "~/toys")[1] == (tmp_path / "toys/whole",)


def test_find_overlooks_folder_with_a_file_name(tmp_path):
    (tmp_path / "whole").mkdir()
    with pytest.raises(FileNotFoundError):
        find(SOURCE, tmp_path)


def test_find_lists_every_name_folder_and_origin(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        find(SOURCE, tmp_path)
    assert str(caught.value) == (
        f"toy was not found: looked for a, b (plain or .gz) in {tmp_path}/first or {tmp_path}; "
        f"whole (plain or .gz) in {tmp_path}; "
        "published at https://example.org/toy (nothing is downloaded for you)"
    )


def test_find_names_what_a_folder_lacks(tmp_path):
    touch(tmp_path / "first", "b")
    match = f"{tmp_path}/first has only some of them, it lacks a; published"
    with pytest.raises(FileNotFoundError, match=match):
        find(SOURCE, tmp_path)


def test_find_without_folder_says_which_files(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"data_dir \(--data-dir\).*a, b .*example.org/toy"
    ):
        find(SOURCE, None)


FOLDERS = Source(
    "clips",
    (Layout(("Train/", "Test/"), ("a", ".")), Layout(("x.h5",), (".",), packed=False)),
    "https://example.org/clips",
    archives=("Train.zip",),
)


def test_find_takes_folders_and_files_that_are_not_packed(tmp_path):
    touch(tmp_path, "x.h5.gz", "Train", "Test")  # files of the folders' names
    with pytest.raises(FileNotFoundError):
        find(FOLDERS, tmp_path)
    touch(tmp_path, "x.h5")
    assert find(FOLDERS, tmp_path)[1] == (tmp_path / "x.h5",)
    for name in ("Train", "Test"):
        (tmp_path / "a" / name).mkdir(parents=True)
    assert find(FOLDERS, tmp_path)[1] == (tmp_path / "a/Train", tmp_path / "a/Test")


def test_find_points_at_archives(tmp_path):
    touch(tmp_path / "a", "Train.zip")
    (tmp_path / "a" / "Test").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        find(FOLDERS, tmp_path)
    assert str(caught.value) == (
        f"clips was not found: looked for Train/, Test/ in {tmp_path}/a or {tmp_path}; x.h5 in "
        f"{tmp_path}; {tmp_path}/a has only some of them, it lacks Train/; "
        f"{tmp_path}/a/Train.zip must be unpacked first; "
        "published at https://example.org/clips (nothing is downloaded for you)"
    )


@pytest.mark.parametrize("name", ["x", "x.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_read_content_goes_by_the_bytes_not_the_name(tmp_path, name, packed):
    content = np.random.default_rng(0).bytes(3 * files.CHUNK // 2)
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if packed else content)
    assert read_content(tmp_path / name) == content


def test_read_content_reads_short_files(tmp_path):
    for content in (b"", b"\x1f"):
        (tmp_path / "x").write_bytes(content)
        assert read_content(tmp_path / "x") == content


def test_read_content_reports_cut_gzip(tmp_path):
    content = np.random.default_rng(0).bytes(100_000)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content)[:50_000])
    with pytest.raises(DataError, match=r"x\.gz is damaged: at byte (\d+).*whole gzip") as caught:
        read_content(path)
    offset = int(str(caught.value).split("at byte ")[1].split()[0])
    assert 30_000 < offset < 50_000


@pytest.mark.parametrize(
    ("position", "found"), [(11, "Error -3 while decompressing"), (5_000, "CRC check failed")]
)
def test_read_content_reports_flipped_bits_of_gzip(tmp_path, position, found):
    packed = bytearray(gzip.compress(np.arange(30_000).astype(str).tobytes()))
    packed[position] ^= 0xFF
    (tmp_path / "x").write_bytes(packed)
    match = f"x is damaged: at byte .* expected a whole gzip stream, found {found}"
    with pytest.raises(DataError, match=match):
        read_content(tmp_path / "x")


def test_read_content_reports_wrong_gzip_header(tmp_path):
    (tmp_path / "x").write_bytes(b"\x1f\x8b\xff" + bytes(20))
    with pytest.raises(DataError, match=r"x is damaged: at byte 0 .*Unknown compression method"):
        read_content(tmp_path / "x")


def test_read_content_reports_unreadable_file(tmp_path, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(DataError, match=r"/x cannot be read: Permission denied$"):
        read_content(tmp_path / "x")


def test_data_error_survives_pickle():
    error = damaged("x", "byte 3", "this", "that")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(error) == "x is damaged: at byte 3, expected this, found that"


@pytest.mark.parametrize(("labels", "first"), [([0, 9, 10, 11], 2), ([-1, 3], 0)])
def test_check_labels_names_the_first_wrong_one(labels, first):
    match = f"at item {first}, expected a label from 0 to 9, found {labels[first]}$"
    with pytest.raises(DataError, match=match):
        check_labels("x", np.array(labels), 10, lambda i: f"item {i}")
