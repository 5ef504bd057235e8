"""A tiny data set in MNIST's true format, and the command run in this process."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spikeframe.cli.main import main

TRAIN, TEST = 40, 12


def write_idx(path, values):
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(header + values.tobytes())


def write_images(folder, seed=0):
    """Each class is a bright bar at its own place in noise, 8x8: learnt in a few steps."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for part, size in (("train", TRAIN), ("t10k", TEST)):
        labels = rng.integers(0, 4, size, np.uint8)
        images = rng.integers(0, 60, (size, 8, 8), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[:, 2 * label : 2 * label + 2] = 250
        write_idx(folder / f"{part}-images-idx3-ubyte", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)
    return folder


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
