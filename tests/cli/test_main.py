import subprocess
import sys

import pytest

import spikeframe


def refused(result, *parts):
    """One line on stderr that says so, and exit code 2."""
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert result.err.startswith(("spikeframe train: error: ", "spikeframe: error: "))
    for part in parts:
        assert part in result.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["-T", "0"], "-T must be at least 1, got 0"),
        (["-T", "-3"], "-T must be at least 1, got -3"),
        (["-T", "2.5"], "invalid int value: '2.5'"),
        (["--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["-b", "0"], "-b must be at least 1, got 0"),
        (["-j", "-1"], "-j must be at least 0, got -1"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--seed", str(2**63)], "--seed must be less than 2**63"),
        (["--lr", "0"], "--lr must be finite and greater than 0, got 0.0"),
        (["--lr", "inf"], "--lr must be finite and greater than 0, got inf"),
        (["--lr", "nan"], "--lr must be finite and greater than 0, got nan"),
        (["--lr", "fast"], "invalid float value: 'fast'"),
        (["--tau", "1"], "--tau must be finite and greater than 1 (in time steps), got 1.0"),
        (["--tau", "nan"], "--tau must be finite and greater than 1"),
        (["--tau", "2", "--neuron", "if"], "--tau has no effect on --neuron if"),
        (["--neuron", "izhikevich"], "invalid choice: 'izhikevich' (choose from"),
        (["--opt", "lion"], "invalid choice: 'lion'"),
        (["--data", "imagenet"], "invalid choice: 'imagenet'"),
        (["--split", "half"], "invalid choice: 'half'"),
        (["--epoch", "3"], "unrecognized arguments: --epoch 3"),
        (["--device", "warp"], "--device warp cannot be used here"),
        (["--device", "cuda:99"], "--device cuda:99 cannot be used here"),
        (["--device", "meta"], "--device meta cannot be used here"),
    ],
)
def test_wrong_option_is_one_line(run, tmp_path, words, part):
    refused(run("train", *words), part)
    assert list(tmp_path.iterdir()) == []


def test_no_command_is_one_line(run):
    refused(run(), "required: COMMAND")
    refused(run("trian"), "invalid choice: 'trian'")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--data", "mnist"], "--data-dir) was not given"),
        (["--data", "mnist", "--data-dir", "nowhere"], "mnist was not found: looked for"),
        (["--data", "cifar10", "--data-dir", "data"], "published at https://www.cs.toronto.edu"),
        (["--data", "mnist", "--data-dir", "data", "--split", "writers"], "not split again"),
        (["--data-dir", "data"], "'digits' come with scikit-learn"),
    ],
)
def test_missing_data_is_one_line(run, data_dir, words, part):
    refused(run("train", *words), part)


def test_damaged_data_is_one_line(run, tmp_path, data_dir, tiny):
    file = data_dir / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-7])
    refused(run("train", *tiny), "train-images-idx3-ubyte is damaged")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("package", ["matplotlib.figure", "tqdm", "sklearn"])
def test_missing_package_is_one_line(run, monkeypatch, tmp_path, package):
    monkeypatch.setitem(sys.modules, package, None)
    refused(run("train", "--epochs", "1"), "pip install 'spikeframe[train]'")
    assert list(tmp_path.iterdir()) == []


def test_out_dir_in_use_is_left_alone(run, tmp_path, tiny):
    mine = tmp_path / "mine" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("keep")
    refused(run("train", *tiny, "--out-dir", "mine"), "--out-dir mine is not empty", "--resume")
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]
    assert mine.read_text() == "keep"


@pytest.mark.parametrize("out_dir", ["file", "file/below", "/proc/nowhere/below"])
def test_unwritable_out_dir_is_one_line(run, tmp_path, tiny, out_dir):
    (tmp_path / "file").write_text("keep")
    refused(run("train", *tiny, "--out-dir", out_dir), f"cannot create {out_dir}")
    assert (tmp_path / "file").read_text() == "keep"


def test_runs_that_is_a_file_is_one_line(run, tmp_path, tiny):
    (tmp_path / "runs").write_text("keep")
    refused(run("train", *tiny), "cannot create runs/mnist-1", "name a folder with --out-dir")


def test_loss_that_is_not_finite_is_one_line(run, tmp_path, tiny):
    words = (*tiny, "--opt", "sgd", "--lr", "1e30", "--out-dir", "mine")
    refused(run("train", *words), "the loss became", "start again with an --lr below 1e+30")
    assert (tmp_path / "mine" / "metrics.csv").read_text().count("\n") == 1


def test_interrupt_before_the_training_is_one_line(run, monkeypatch, tmp_path, tiny):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("spikeframe.cli.train.load_samples", stop)
    result = run("train", *tiny)
    assert result.code == 130
    assert result.err == "spikeframe train: interrupted before the training began\n"
    assert not (tmp_path / "runs").exists()


def test_version_and_help(run):
    assert run("--version").out == f"spikeframe {spikeframe.__version__}\n"
    help_text = run("train", "--help").out
    for option in ("-T", "--epochs", "-b", "--lr", "--opt", "--neuron", "--tau", "--device"):
        assert f" {option} " in help_text
    for option in ("--amp", "--data", "--data-dir", "--out-dir", "--resume", "--seed", "-j"):
        assert option in help_text


def test_module_runs_as_a_program(tmp_path, tiny):
    command = [sys.executable, "-W", "error", "-m", "spikeframe", "train", *tiny, "--epochs", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "runs/mnist-1/training.png" in done.stdout
    wrong = subprocess.run(
        [*command, "--tau", "1"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
