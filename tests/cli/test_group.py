import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from image_files import write_images
from torch import nn

from spikeframe.cli.errors import CommandError
from spikeframe.cli.group import Group, joined, members, rank
from spikeframe.cli.learner import SPIKING, learner
from spikeframe.cli.loop import evaluate
from spikeframe.cli.options import continued
from spikeframe.cli.samples import load_samples

TOGETHER = Path(__file__).with_name("together.py")


def test_one_process_is_a_group_of_its_own(monkeypatch):
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    net = nn.BatchNorm1d(2)
    with joined(torch.device("cpu")) as group:
        assert (group, members(), rank()) == (Group(0, 1), 1, 0)
        assert group.sum([1, 2.5]) == [1, 2.5]
        assert group.gather("a") == ["a"]
        assert group.once(lambda: 3) == 3
        assert group.parallel(net, torch.device("cpu")) is net
        group.share_buffers(net)
    assert group.first
    assert list(range(5))[group.rows] == [0, 1, 2, 3, 4]


def test_error_of_one_process_is_raised():
    def fail():
        raise CommandError("no")

    with pytest.raises(CommandError, match="no"):
        Group().once(fail)


def test_rows_share_a_batch_out():
    parts = [list(range(7))[Group(rank, 3).rows] for rank in range(3)]
    assert parts == [[0, 3, 6], [1, 4], [2, 5]]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder of two processes that have trained together, and what they printed."""
    folder = tmp_path_factory.mktemp("together")
    write_images(folder / "data")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    done = subprocess.run(
        [*command, "2", str(TOGETHER)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


def test_two_processes_agree_and_the_first_one_speaks(together):
    _, done = together
    lines = done.stdout.splitlines()
    assert {line for line in lines if "agreed" in line} == {"0:agreed", "1:agreed"}
    assert sum("2 processes, results in whole" in line for line in lines) == 1
    assert sum("LIFNode, T=2: epoch 2/2" in line for line in lines) == 2
    for part in ("continue with: spikeframe train --resume parts", "--out-dir whole is not empty"):
        assert done.stderr.count(part) == 1


def test_resumed_run_of_two_processes_equals_an_uninterrupted_one(together):
    folder, _ = together
    whole, parts = (
        torch.load(folder / name / "checkpoint.pt", weights_only=True)
        for name in ("whole", "parts")
    )
    assert whole["options"]["processes"] == 2
    assert set(whole["random"]) == {"batches", "torch", "torch.1"}
    for kind in ("net", "random"):
        for name, value in whole[kind].items():
            assert torch.equal(value, parts[kind][name]), name
    for one, other in zip(whole["rows"], parts["rows"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_two_processes_score_every_sample_once(together):
    """The scores in the table are those of the kept weights on the whole sets."""
    folder, _ = together
    saved = torch.load(folder / "whole" / "checkpoint.pt", weights_only=True)
    options = continued(saved["options"], {"processes": 2, "data_dir": str(folder / "data")}, "")
    split = load_samples(options)
    alone = learner(SPIKING, split.train, options, 1)
    alone.net.load_state_dict(saved["net"])
    for name, data in (("test", split.test), ("valid", split.valid)):
        score = evaluate(alone, data)
        assert score.accuracy == pytest.approx(saved["rows"][-1][f"{name}_accuracy"])
        assert score.loss == pytest.approx(saved["rows"][-1][f"{name}_loss"], rel=1e-4)


def test_run_of_two_processes_is_not_resumed_by_one(together, run):
    folder, _ = together
    result = run("train", "--resume", folder / "whole")
    assert result.code == 2
    assert "was made by 2 processes, this is a run of 1: use torchrun --nproc-per-node 2" in (
        result.err
    )
