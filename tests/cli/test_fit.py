import dataclasses
from pathlib import Path

import pytest
import torch

from spikeframe.cli.checkpoint import load
from spikeframe.cli.errors import CommandError
from spikeframe.cli.fit import Fit
from spikeframe.cli.folder import RunFolder
from spikeframe.cli.learner import RELU, SPIKING
from spikeframe.cli.options import complete
from spikeframe.data import ImageSet, Split

HERE = Path("here.pt")


@pytest.fixture
def split():
    labels = torch.arange(30) % 2
    images = torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    data = ImageSet(images, labels, ("a", "b"))
    return Split(data.take(slice(20)), data.take(slice(20, None)))


@pytest.fixture
def options():
    return complete({"epochs": 2, "steps": 2, "batch_size": 8})


@pytest.fixture
def saved(split, options, tmp_path):
    folder = RunFolder(tmp_path / "run")
    Fit(SPIKING, split, options).run(folder)
    return load(folder.checkpoint)


def test_run_keeps_each_epoch(saved, options):
    assert [row["epoch"] for row in saved.rows] == [1, 2]
    assert saved.rows[0]["lr"] == options.lr
    assert 0 < saved.rows[1]["lr"] < options.lr
    assert saved.scheduler["last_epoch"] == 6
    assert saved.options["batch_size"] == 8


def test_beginning_can_be_resumed_too(split, options, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("spikeframe.cli.fit.train_epoch", stop)
    folder = RunFolder(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        Fit(SPIKING, split, options).run(folder)
    assert load(folder.checkpoint).rows == []
    assert folder.metrics.read_text().count("\n") == 1


def test_checkpoint_of_the_other_network_is_refused(saved, split, options):
    with pytest.raises(CommandError, match=r"here.pt is of the spiking network, not the relu"):
        Fit(RELU, split, options, (HERE, saved))


def test_checkpoint_of_other_images_is_refused(saved, split, options):
    other = Split(split.train.take(torch.arange(20).flip(0)), split.test)
    with pytest.raises(CommandError, match=r"here.pt was made with other training images"):
        Fit(SPIKING, other, options, (HERE, saved))


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("net", {}),
        ("net", {"more": torch.zeros(1)}),
        ("optimizer", {}),
        ("optimizer", {"state": {}, "param_groups": []}),
        ("random", {}),
        ("random", {"batches": torch.zeros(3, dtype=torch.uint8)}),
        ("random", {"batches": torch.zeros(3)}),
        ("rows", [{"epoch": 1.0}]),
        ("rows", [3]),
    ],
)
def test_checkpoint_that_does_not_fit_is_refused(saved, split, options, entry, value):
    with pytest.raises(CommandError, match="here.pt does not fit the network: "):
        Fit(SPIKING, split, options, (HERE, dataclasses.replace(saved, **{entry: value})))
