import csv

import pytest
import torch
from event_files import write_n_mnist

from spikeframe.cli import train as training
from spikeframe.cli.arguments import parse


@pytest.fixture
def trained(run, tiny, monkeypatch):
    """The folder of a run of one epoch."""
    monkeypatch.setattr(training, "write_report", lambda *_: None)
    assert run("train", *tiny, "--epochs", "1", "--no-baseline", "--neuron", "if").code == 0
    return "runs/mnist-1"


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_default_network_is_profiled(run, tmp_path):
    result = run("profile", "--runs", "1", "--csv", "layers.csv")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("spikeframe 0.1.0: digits, LIFNode, T=4, 98026 parameters, on cpu")
    assert lines[1] == "a step of training without its optimiser, input 64x1x8x8"
    assert lines[3].split()[:3] == ["module", "class", "backend"]
    assert any(line.startswith("shares: neuron ") for line in lines)
    rows = read(tmp_path / "layers.csv")
    assert rows[0]["module"] == "stages.0.conv"
    assert rows[-1]["module"] == "outside of layers"
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1.0, abs=0.01)
    assert [path.name for path in tmp_path.iterdir()] == ["layers.csv"]


def test_options_reach_the_network(run, tiny):
    words = ("--neuron", "plif", "--inference", "--threads", "2", "--runs", "1", "--seed", "3")
    result = run("profile", *tiny, *words)
    assert result.code == 0, result.err
    assert "mnist, ParametricLIFNode, T=2" in result.out
    assert "on cpu with 2 threads\ninference, input 16x1x8x8" in result.out
    assert "\nwall time, medians of 1 run\n" in result.out
    assert "backward: " not in result.out


def test_run_is_profiled_with_its_options_and_weights(run, trained, data_dir, tmp_path):
    before = {p: p.read_bytes() for p in (tmp_path / trained).rglob("*") if p.is_file()}
    result = run("profile", trained, "--runs", "1", "-T", "3", "-b", "5")
    assert result.code == 0, result.err
    assert "mnist, IFNode, T=3" in result.out
    assert "input 5x1x8x8" in result.out
    result = run("profile", f"{trained}/checkpoint.pt", "--runs", "1")
    assert "mnist, IFNode, T=2" in result.out
    assert {p: p.read_bytes() for p in before} == before


def test_recordings_are_profiled(run, tmp_path):
    write_n_mnist(tmp_path / "clips", per_class=4, n=100)
    words = ("--data", "n-mnist", "--data-dir", "clips", "-T", "2", "-b", "3", "--runs", "1")
    result = run("profile", *words)
    assert result.code == 0, result.err
    assert "input 2x3x2x34x34" in result.out


def test_a_batch_is_never_more_than_there_is(run, tiny):
    result = run("profile", *tiny[:4], "-b", "100000", "--runs", "1")
    assert result.code == 0, result.err
    assert "input 100000x" not in result.out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--runs", "0"], "--runs must be at least 1, got 0"),
        (["--runs", "2.5"], "invalid int value: '2.5'"),
        (["-T", "0"], "-T must be at least 1, got 0"),
        (["-b", "0"], "-b must be at least 1, got 0"),
        (["--neuron", "lof"], "invalid choice: 'lof'"),
        (["--tau", "1"], "--tau must be finite and greater than 1"),
        (["--device", "warp"], "--device warp cannot be used here"),
        (["--data", "mnist"], "--data-dir) was not given"),
        (["nowhere"], "cannot read nowhere: No such file"),
        (["notes.txt"], "notes.txt is damaged or not a checkpoint"),
        (["--csv", "no/layers.csv", "--runs", "1"], "cannot write no/layers.csv"),
    ],
)
def test_what_is_wrong_is_one_line(run, tmp_path, words, part):
    (tmp_path / "notes.txt").write_text("text")
    result = run("profile", *words)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert result.err.startswith("spikeframe profile: error: ")
    assert part in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_options_that_a_run_contradicts_are_refused(run, trained):
    result = run("profile", trained, "--neuron", "lif")
    assert result.code == 2
    assert "--neuron lif disagrees with runs/mnist-1/checkpoint.pt" in result.err
    result = run("profile", trained, "-T", "0")
    assert (result.code, "-T must be at least 1" in result.err) == (2, True)


def test_weights_that_do_not_fit_are_one_line(run, trained, tmp_path):
    path = tmp_path / trained / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    content["net"].popitem()
    torch.save(content, path)
    result = run("profile", trained)
    assert result.code == 2
    assert "checkpoint.pt does not fit the network: " in result.err


def test_options_of_training_alone_are_unknown(run):
    result = run("profile", "--epochs=3")
    assert result.code == 2
    assert "unrecognized arguments: --epochs=3" in result.err


def test_parse_names_what_was_given():
    assert parse(["profile"]) == {"command": "profile"}
    words = ["runs/a", "--inference", "--runs", "3", "--csv", "a.csv", "-b", "8"]
    assert parse(["profile", *words]) == {
        "command": "profile",
        "run": "runs/a",
        "inference": True,
        "runs": 3,
        "csv": "a.csv",
        "batch_size": 8,
    }
