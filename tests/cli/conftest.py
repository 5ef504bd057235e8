"""A tiny data set in MNIST's true format, and the command run in this process."""

from types import SimpleNamespace

import pytest
import torch
from image_files import write_images

from spikeframe.cli.main import main


@pytest.fixture(autouse=True)
def process_as_before():
    """The command sets what holds for its whole process, which here is not its own."""
    threads, deterministic = torch.get_num_threads(), torch.backends.cudnn.deterministic
    state = torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = deterministic
    torch.set_rng_state(state)


@pytest.fixture
def data_dir(tmp_path):
    return write_images(tmp_path / "data")


@pytest.fixture
def other_data_dir(tmp_path):
    return write_images(tmp_path / "other", seed=1)


@pytest.fixture
def tiny(data_dir):
    """Options of a run that takes a second."""
    return ("--data", "mnist", "--data-dir", str(data_dir), "-b", "16", "-T", "2")


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs ``spikeframe`` in an empty folder; its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return run
