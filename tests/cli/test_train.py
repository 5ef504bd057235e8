import csv
import os
import signal
import subprocess
import sys

import pytest
import torch

from spikeframe.cli import fit
from spikeframe.cli import train as command

PNG = b"\x89PNG\r\n\x1a\n"
FILES = ("checkpoint.pt", "metrics.csv", "training.png")


def rows(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def state(folder):
    """A checkpoint without what the clock writes into it."""
    content = torch.load(folder / "checkpoint.pt", weights_only=True)
    for row in content["rows"]:
        del row["seconds"]
    return content


def assert_equal(left, right):
    """Bit for bit, through nested containers."""
    assert type(left) is type(right)
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype
        assert torch.equal(left, right)
    elif isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_equal(left[key], right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_equal(one, other)
    else:
        assert left == right


def interrupt_in_epoch(monkeypatch, role, number):
    """Press Ctrl-C in the middle of an epoch, counted from 1."""
    original, epochs = fit.train_epoch, []

    def train_epoch(learner, batches, on_batch, *rest):
        epochs.extend([1] if learner.role == role else [])

        def stop(score):
            if len(epochs) == number and learner.role == role and score.images > 16:
                raise KeyboardInterrupt
            on_batch(score)

        return original(learner, batches, stop, *rest)

    monkeypatch.setattr(fit, "train_epoch", train_epoch)


@pytest.fixture
def three_epochs(tiny):
    return (*tiny, "--epochs", "3", "--neuron", "plif")


def test_run_leaves_its_results(run, tmp_path, tiny):
    result = run("train", *tiny, "--epochs", "2")
    assert (result.code, result.err) == (0, "")
    folder = tmp_path / "runs" / "mnist-1"
    for place in (folder, folder / "relu"):
        assert [row["epoch"] for row in rows(place)] == ["1", "2"]
        assert list(rows(place)[0]) == [
            *("epoch", "train_loss", "train_accuracy"),
            *("test_loss", "test_accuracy", "lr"),
        ]
        assert state(place)["rows"][1]["epoch"] == 2
    assert (folder / "training.png").read_bytes().startswith(PNG)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "relu"])
    for name in FILES:
        assert f"runs/mnist-1/{name}" in result.out


def test_summary_tells_both_accuracies_and_rates(run, tmp_path, tiny):
    out = run("train", *tiny, "--epochs", "2").out
    for place, title in ((".", "LIFNode, T=2"), ("relu", "ReLU")):
        last = float(rows(tmp_path / "runs" / "mnist-1" / place)[-1]["test_accuracy"])
        assert f"  {title:<22}{last:>12.2%}" in out
    for number in range(3):
        assert f"stages.{number}.activation" in out
    assert "readout" not in out


def test_last_epoch_is_reported_not_the_best(run, tmp_path, tiny, monkeypatch):
    accuracies = iter([0.9, 0.2])
    original = fit.evaluate

    def evaluate(*given):
        score = original(*given)
        score.correct = round(next(accuracies) * 1000)
        score.images = 1000
        return score

    monkeypatch.setattr(fit, "evaluate", evaluate)
    out = run("train", *tiny, "--epochs", "2", "--no-baseline").out
    assert "LIFNode, T=2                20.00%" in out


def test_default_folders_are_counted(run, tmp_path, tiny):
    words = ("train", *tiny, "--epochs", "1", "--no-baseline")
    assert run(*words).code == run(*words).code == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["mnist-1", "mnist-2"]
    assert not (tmp_path / "runs" / "mnist-1" / "relu").exists()


def test_equal_seeds_give_equal_runs(run, tmp_path, tiny):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        words = ("--epochs", "1", "--seed", seed, "--no-baseline", "--out-dir", name)
        assert run("train", *tiny, *words).code == 0
    assert_equal(state(tmp_path / "a"), state(tmp_path / "b"))
    weights = [state(tmp_path / name)["net"]["classifier.weight"] for name in "ac"]
    assert not torch.equal(*weights)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
def test_workers_do_not_change_a_run(run, tmp_path, tiny):
    for workers in (0, 2):
        words = ("--epochs", "2", "-j", workers, "--no-baseline", "--out-dir", f"j{workers}")
        assert run("train", *tiny, *words).code == 0
    assert_equal(state(tmp_path / "j0")["net"], state(tmp_path / "j2")["net"])


@pytest.mark.parametrize("epoch", [1, 2])
def test_resumed_run_equals_an_uninterrupted_one(run, tmp_path, three_epochs, monkeypatch, epoch):
    assert run("train", *three_epochs, "--out-dir", "whole").code == 0
    with monkeypatch.context() as patch:
        interrupt_in_epoch(patch, "spiking", epoch)
        stopped = run("train", *three_epochs, "--out-dir", "parts")
    assert stopped.code == 130
    assert stopped.err == (
        f"spikeframe train: interrupted after epoch {epoch - 1} of 3; continue with: "
        "spikeframe train --resume parts\n"
    )
    assert len(rows(tmp_path / "parts")) == epoch - 1
    torch.manual_seed(99)
    assert run("train", "--resume", "parts").code == 0
    for place in (".", "relu"):
        whole, parts = tmp_path / "whole" / place, tmp_path / "parts" / place
        assert rows(whole) == rows(parts)
        assert_equal(state(whole), state(parts))


def test_resumed_twin_equals_an_uninterrupted_one(run, tmp_path, three_epochs, monkeypatch):
    assert run("train", *three_epochs, "--out-dir", "whole").code == 0
    with monkeypatch.context() as patch:
        interrupt_in_epoch(patch, "relu", 3)
        stopped = run("train", *three_epochs, "--out-dir", "parts")
    assert stopped.code == 130
    assert len(rows(tmp_path / "parts" / "relu")) == 2
    assert run("train", "--resume", "parts/checkpoint.pt").code == 0
    assert_equal(state(tmp_path / "whole" / "relu"), state(tmp_path / "parts" / "relu"))


def test_other_optimisers_resume_too(run, tmp_path, tiny, monkeypatch):
    for opt in ("sgd", "adam"):
        words = (*tiny, "--epochs", "2", "--opt", opt, "--no-baseline", "--out-dir")
        assert run("train", *words, f"{opt}-whole").code == 0
        with monkeypatch.context() as patch:
            interrupt_in_epoch(patch, "spiking", 2)
            assert run("train", *words, f"{opt}-parts").code == 130
        assert run("train", "--resume", f"{opt}-parts").code == 0
        assert_equal(state(tmp_path / f"{opt}-whole"), state(tmp_path / f"{opt}-parts"))


def test_finished_run_resumes_to_its_report(run, tmp_path, tiny):
    first = run("train", *tiny, "--epochs", "1", "--out-dir", "mine")
    before = state(tmp_path / "mine")
    again = run("train", "--resume", "mine")
    assert again.code == 0
    assert_equal(before, state(tmp_path / "mine"))
    assert again.out.partition("after the last")[2] == first.out.partition("after the last")[2]


def test_copied_checkpoint_continues_in_a_new_folder(run, tmp_path, tiny, monkeypatch):
    interrupt_in_epoch(monkeypatch, "spiking", 2)
    assert run("train", *tiny, "--epochs", "2", "--out-dir", "mine").code == 130
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    kept = (tmp_path / "mine" / "checkpoint.pt").read_bytes()
    (tmp_path / "copy.pt").write_bytes(kept)
    assert run("train", "--resume", "copy.pt", "--no-baseline").code == 0
    assert run("train", "--resume", "mine", "--out-dir", "new", "--no-baseline").code == 0
    assert (tmp_path / "mine" / "checkpoint.pt").read_bytes() == kept
    assert_equal(state(tmp_path / "runs" / "mnist-1"), state(tmp_path / "new"))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--lr", "0.5"], "--lr 0.5 disagrees with mine/checkpoint.pt, made with --lr 0.003"),
        (["-T", "3"], "-T 3 disagrees with mine/checkpoint.pt, made with -T 2"),
        (["--epochs", "9"], "--epochs 9 disagrees with mine/checkpoint.pt, made with --epochs 1"),
        (["--neuron", "if"], "--neuron if disagrees with"),
        (["--data", "digits"], "--data digits disagrees with"),
        (["--data-dir", "other"], "made with other training images"),
        (["--out-dir", "data"], "--out-dir data is not empty"),
    ],
)
def test_resume_refuses_another_configuration(run, tmp_path, tiny, other_data_dir, words, part):
    assert run("train", *tiny, "--epochs", "1", "--no-baseline", "--out-dir", "mine").code == 0
    before = {name: (tmp_path / "mine" / name).read_bytes() for name in FILES}
    result = run("train", "--resume", "mine", *words)
    assert result.code == 2
    assert part in result.err
    assert result.err.count("\n") == 1
    assert before == {name: (tmp_path / "mine" / name).read_bytes() for name in FILES}


def test_resume_takes_what_does_not_change_the_numbers(run, tiny):
    assert run("train", *tiny, "--epochs", "1", "--no-baseline", "--out-dir", "mine").code == 0
    words = ("--lr", "0.003", "-j", "1", "--threads", "1", "--baseline", "--out-dir", "mine")
    assert run("train", "--resume", "mine", *words).code == 0


def test_resume_refuses_a_twin_in_its_place(run, tiny):
    assert run("train", *tiny, "--epochs", "1", "--out-dir", "mine").code == 0
    result = run("train", "--resume", "mine/relu")
    assert result.code == 2
    assert "mine/relu/checkpoint.pt is of the relu network, not the spiking one" in result.err


def test_interrupt_of_the_report_tells_how_to_go_on(run, tiny, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "write_report", stop)
    result = run("train", *tiny, "--epochs", "1", "--no-baseline")
    assert result.code == 130
    assert "interrupted after epoch 1 of 1; continue with: " in result.err


def test_signal_ends_a_process_with_130(tmp_path, tiny):
    command = [sys.executable, "-m", "spikeframe", "train", *tiny, "--epochs", "100000"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # Where the tests run in a shell's background, SIGINT is ignored and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        for line in process.stdout:
            if "epoch 2/" in line:
                process.send_signal(signal.SIGINT)
                break
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.count("\n") == 1
    assert "continue with: spikeframe train --resume runs/mnist-1" in error
    assert len(rows(tmp_path / "runs" / "mnist-1")) >= 2


@pytest.mark.parametrize("words", [["--amp"], ["--neuron", "if"], ["--threads", "2"]])
def test_other_options_train(run, tiny, words):
    assert run("train", *tiny, *words, "--epochs", "1", "--no-baseline").code == 0


def test_small_images_take_one_thread(run, tiny):
    run("train", *tiny, "--epochs", "1", "--no-baseline")
    assert torch.get_num_threads() == 1


@pytest.mark.slow
def test_default_run_reads_digits(run, tmp_path):
    result = run("train", "--no-baseline")
    assert result.code == 0
    assert float(rows(tmp_path / "runs" / "digits-1")[-1]["test_accuracy"]) >= 0.97
