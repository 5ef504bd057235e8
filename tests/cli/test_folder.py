import os

import pytest

from spikeframe.cli.errors import CommandError
from spikeframe.cli.folder import RunFolder, claim, claim_next, write_whole


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_claim_takes_new_and_empty_folders(here):
    assert claim(here / "a" / "b").path.is_dir()
    assert claim(here / "a" / "b").path == here / "a" / "b"


def test_claim_refuses_a_folder_in_use(here):
    (here / ".hidden").touch()
    with pytest.raises(CommandError, match="is not empty, and results are never overwritten"):
        claim(here)


def test_claim_next_counts_past_everything_that_is_there(here):
    assert claim_next("x").path.name == "x-1"
    (here / "runs" / "x-2").touch()
    (here / "runs" / "x-3").symlink_to("nowhere")
    assert claim_next("x").path.name == "x-4"
    assert claim_next("y").path.name == "y-1"


def test_write_whole_replaces_and_leaves_nothing_else(here):
    write_whole(here / "f", b"one")
    write_whole(here / "f", b"two")
    assert (here / "f").read_bytes() == b"two"
    assert os.listdir(here) == ["f"]


def test_write_whole_keeps_what_was_there_when_it_fails(here, monkeypatch):
    write_whole(here / "f", b"one")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match="cannot write .*/f: No space left on device"):
        write_whole(here / "f", b"two")
    assert (here / "f").read_bytes() == b"one"
    assert os.listdir(here) == ["f"]


def test_write_whole_keeps_what_was_there_when_interrupted(here, monkeypatch):
    write_whole(here / "f", b"one")

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        write_whole(here / "f", b"two")
    assert (here / "f").read_bytes() == b"one"
    assert os.listdir(here) == ["f"]


def test_write_whole_into_no_folder(here):
    (here / "f").touch()
    with pytest.raises(CommandError, match="cannot write .*: Not a directory"):
        write_whole(here / "f" / "g", b"")


def test_run_folder_names_its_files(here):
    folder = RunFolder(here)
    names = [folder.checkpoint.name, folder.metrics.name, folder.figure.name]
    assert names == ["checkpoint.pt", "metrics.csv", "training.png"]
    assert folder.baseline.checkpoint == here / "relu" / "checkpoint.pt"
