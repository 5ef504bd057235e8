"""Training on recordings, from the command line to the report."""

import csv
from dataclasses import replace
from functools import partial

import pytest
import torch
from event_files import write_heidelberg, write_n_mnist

from spikeframe.cli import fit
from spikeframe.cli import train as command
from spikeframe.cli.recipes import RECIPES
from spikeframe.model import ConvNet


def rows(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def weights(path):
    content = torch.load(path, weights_only=True)
    return content.get("net", content)


def assert_equal(left, right):
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]), name


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """Options of a short run: 30 recordings to train, 10 to validate, 40 to test."""
    small = replace(RECIPES["n-mnist"], network=partial(ConvNet, channels=(4, 8)))
    monkeypatch.setitem(RECIPES, "n-mnist", small)
    write_n_mnist(tmp_path / "clips", per_class=4, n=100)
    folder = ("--data", "n-mnist", "--data-dir", "clips")
    return (*folder, "--validation", "0.25", "-T", "2", "-b", "16")


@pytest.fixture
def unreported(monkeypatch):
    """The figure takes longer than the training."""
    monkeypatch.setattr(command, "write_report", lambda *_: None)


@pytest.fixture
def scored(monkeypatch):
    """Replaces the accuracies of evaluations, which are test and validation in turn."""
    original = fit.evaluate

    def scored(*accuracies):
        values = iter(accuracies)

        def evaluate(*given):
            score = original(*given)
            score.correct, score.images = next(values) * 1000, 1000
            return score

        monkeypatch.setattr(fit, "evaluate", evaluate)

    return scored


def test_run_on_recordings_leaves_its_results(run, tmp_path, clips):
    result = run("train", *clips, "--epochs", "2")
    assert (result.code, result.err) == (0, "")
    assert "30 recordings 2 x 2x34x34 to train, 10 to validate, 40 to test" in result.out
    assert "counting events into frames, 80 recordings" in result.out
    folder = tmp_path / "runs" / "n-mnist-1"
    for place in (folder, folder / "relu"):
        assert [row["epoch"] for row in rows(place)] == [1, 2]
        assert set(rows(place)[0]) > {"valid_loss", "valid_accuracy", "test_accuracy"}
        assert (place / "validated.pt").exists()
    assert f"{folder.relative_to(tmp_path)}/validated.pt" in result.out
    assert "ReLU, T=2" in result.out
    assert (folder / "training.png").stat().st_size > 10_000


def test_last_and_validated_epoch_are_reported_never_the_best_test(run, clips, scored):
    scored(0.99, 0.5, 0.25, 0.875, 0.6, 0.75)
    out = run("train", *clips, "--epochs", "3", "--no-baseline").out
    summary = out.partition("after the last epoch")[2]
    last, _, validated = summary.partition("after the epoch of the best validation")
    assert "LIFNode, T=2                60.00%" in last
    assert "25.00%    epoch 2 of 3, validation 87.50%" in validated
    assert "99.00%" not in summary


def test_validated_weights_are_those_of_the_best_epoch(run, tmp_path, clips, scored, unreported):
    words = (*clips, "--no-baseline", "--epochs", "3", "--out-dir")
    scored(0.1, 0.5, 0.1, 0.875, 0.1, 0.75)
    assert run("train", *words, "second").code == 0
    scored(0.1, 0.5, 0.1, 0.75, 0.1, 0.875)
    assert run("train", *words, "third").code == 0
    kept = {name: weights(tmp_path / name / "validated.pt") for name in ("second", "third")}
    last = weights(tmp_path / "second" / "checkpoint.pt")
    assert_equal(kept["third"], last)
    assert kept["second"].keys() == last.keys()
    assert not torch.equal(kept["second"]["classifier.weight"], last["classifier.weight"])


def test_resumed_run_on_recordings_equals_an_uninterrupted_one(
    run, tmp_path, clips, unreported, monkeypatch
):
    words = (*clips, "--epochs", "2", "--no-baseline", "--out-dir")
    assert run("train", *words, "whole").code == 0
    original, calls = fit.train_epoch, []

    def train_epoch(*given):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*given)

    with monkeypatch.context() as patch:
        patch.setattr(fit, "train_epoch", train_epoch)
        assert run("train", *words, "parts").code == 130
    assert run("train", "--resume", "parts").code == 0
    for file in ("checkpoint.pt", "validated.pt"):
        assert_equal(weights(tmp_path / "whole" / file), weights(tmp_path / "parts" / file))
    for whole, parts in zip(rows(tmp_path / "whole"), rows(tmp_path / "parts"), strict=True):
        assert {**whole, "seconds": 0} == {**parts, "seconds": 0}


def test_resume_takes_the_same_recordings_only(run, tmp_path, clips, unreported):
    assert run("train", *clips, "--epochs", "1", "--no-baseline", "--out-dir", "mine").code == 0
    write_n_mnist(tmp_path / "other", per_class=4, n=90)
    (tmp_path / "clips").rename(tmp_path / "moved")
    for words, part in (
        (("--validation", "0.2"), "--validation 0.2 disagrees with mine/checkpoint.pt, made with"),
        (("--split-by", "number"), "--split-by number disagrees with mine/checkpoint.pt"),
        (("--data-dir", "other"), "was made with other training recordings than those found"),
    ):
        result = run("train", "--resume", "mine", *words)
        assert result.code == 2
        assert part in result.err
    assert run("train", "--resume", "mine", "--data-dir", "moved").code == 0


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
def test_workers_do_not_change_a_run_on_recordings(run, tmp_path, clips, unreported):
    for workers in (0, 2):
        words = ("--epochs", "1", "-j", workers, "--no-baseline", "--out-dir", f"j{workers}")
        assert run("train", *clips, *words).code == 0
    assert_equal(weights(tmp_path / "j0/checkpoint.pt"), weights(tmp_path / "j2/checkpoint.pt"))


def test_spoken_words_are_learnt(run, tmp_path):
    pytest.importorskip("h5py")
    for part, n in {"train": 120, "test": 40}.items():
        write_heidelberg(tmp_path / "shd" / f"shd_{part}.h5", n)
    words = ("--data", "shd", "--data-dir", "shd", "-T", "6", "-b", "20", "--epochs", "5")
    result = run("train", *words, "--validation", "0.2", "--lr", "0.01", "--out-dir", "mine")
    assert result.code == 0
    assert "layers.0.activation" in result.out
    assert not (tmp_path / "mine" / "relu").exists()
    # Chance is 5 %.
    assert rows(tmp_path / "mine")[-1]["test_accuracy"] > 0.5


@pytest.mark.slow
def test_event_digits_are_learnt(run, tmp_path, unreported):
    words = ("--data", "event-digits", "--epochs", "3", "--no-baseline", "--out-dir", "mine")
    assert run("train", *words).code == 0
    assert rows(tmp_path / "mine")[-1]["test_accuracy"] >= 0.6
