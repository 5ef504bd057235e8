import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from spikeframe.cli.errors import CommandError
from spikeframe.cli.group import Group, joined, members, rank

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


def test_two_processes_agree(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    done = subprocess.run(
        [*command, "2", str(TOGETHER)],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(done.stdout.split()) == ["0:agreed", "1:agreed"]
