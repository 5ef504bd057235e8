import os
import zipfile

import pytest
import torch

from spikeframe.cli import checkpoint as files
from spikeframe.cli.checkpoint import Checkpoint, load, save
from spikeframe.cli.errors import CommandError


@pytest.fixture
def checkpoint():
    return Checkpoint(
        role="spiking",
        options={"lr": 0.1},
        data=7,
        rows=[{"epoch": 1.0}],
        net={"w": torch.arange(300.0)},
        optimizer={"state": {}},
        scheduler={"last_epoch": 3},
        random={"torch": torch.get_rng_state()},
    )


@pytest.fixture
def path(tmp_path, checkpoint):
    save(tmp_path / "c.pt", checkpoint)
    return tmp_path / "c.pt"


def test_load_reads_back_what_was_saved(path, checkpoint):
    loaded = load(path)
    for name in ("role", "options", "data", "rows", "optimizer", "scheduler"):
        assert getattr(loaded, name) == getattr(checkpoint, name)
    assert torch.equal(loaded.net["w"], checkpoint.net["w"])
    assert torch.equal(loaded.random["torch"], checkpoint.random["torch"])


@pytest.mark.parametrize("kept", [0, 1, 3, 100, 0.5, 0.99, -1])
def test_load_refuses_a_truncated_file(path, kept):
    content = path.read_bytes()
    size = int(kept * len(content)) if isinstance(kept, float) else kept
    path.write_bytes(content[:size])
    with pytest.raises(CommandError, match="c.pt is damaged or not a checkpoint: "):
        load(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02}q\x00.", bytes(1000)])
def test_load_refuses_other_files(path, content):
    path.write_bytes(content)
    with pytest.raises(CommandError, match="c.pt is damaged or not a checkpoint: "):
        load(path)


def test_load_notices_one_wrong_bit(path):
    content = bytearray(path.read_bytes())
    weight = content.index(torch.arange(300.0).numpy().tobytes())
    content[weight + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(CommandError, match="c.pt is damaged: the checksum of .* is wrong"):
        load(path)


def test_load_notices_a_wrong_bit_anywhere(path):
    """Each byte of the archive is either checked or padding: nothing wrong is ever loaded."""
    original = path.read_bytes()
    whole = load(path)
    for place in range(0, len(original), 37):
        content = bytearray(original)
        content[place] ^= 0x10
        path.write_bytes(content)
        try:
            loaded = load(path)
        except CommandError:
            continue
        assert torch.equal(loaded.net["w"], whole.net["w"])
        assert (loaded.role, loaded.options, loaded.rows) == (
            whole.role,
            whole.options,
            whole.rows,
        )


def test_load_runs_no_code(path, tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"format": "spikeframe train", "version": 1, "role": Harmful()}, path)
    with pytest.raises(CommandError, match="c.pt is damaged or not a checkpoint: "):
        load(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [[1], {"net": {}}, {"format": "other"}])
def test_load_refuses_the_checkpoints_of_others(path, content):
    torch.save(content, path)
    with pytest.raises(CommandError, match="c.pt is not a checkpoint of spikeframe train"):
        load(path)


def test_load_refuses_another_version(path):
    content = torch.load(path, weights_only=True)
    torch.save({**content, "version": 1}, path)
    with pytest.raises(CommandError, match="of version 1, this spikeframe reads version 2"):
        load(path)


@pytest.mark.parametrize("name", sorted(files.KINDS))
def test_load_refuses_a_missing_or_wrong_entry(path, name):
    content = torch.load(path, weights_only=True)
    for wrong in ({k: v for k, v in content.items() if k != name}, {**content, name: None}):
        torch.save(wrong, path)
        with pytest.raises(CommandError, match=f"c.pt is damaged: its entry '{name}' is not a "):
            load(path)


def test_load_without_a_file(tmp_path):
    with pytest.raises(CommandError, match="cannot read .*no.pt: No such file or directory"):
        load(tmp_path / "no.pt")
    with pytest.raises(CommandError, match="cannot read .*: Is a directory"):
        load(tmp_path)


def test_load_names_the_kind_of_a_plain_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(CommandError, match="c.pt is damaged or not a checkpoint: "):
        load(path)
