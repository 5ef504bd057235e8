"""Run by torchrun: what the processes of a group do together comes to what one would do."""

import os
import sys

import pytest
import torch
from torch import nn

from spikeframe.cli import fit
from spikeframe.cli.errors import CommandError
from spikeframe.cli.group import joined
from spikeframe.cli.main import main

CPU = torch.device("cpu")
RUN = ("train", "--data", "mnist", "--data-dir", "data", "--validation", "0.25", "-T", "2")
LENGTH = ("-b", "7", "--epochs", "2", "--no-baseline", "--out-dir")


def fail():
    """The first process's trouble."""
    raise CommandError("no folder")


def check_objects(group):
    """Sums, objects and errors come to every process."""
    assert group.size == 2
    assert group.sum([group.rank + 1.0, 2.0**-60]) == [3.0, 2.0**-59]
    assert group.gather(f"of {group.rank}") == ["of 0", "of 1"]
    assert group.once(lambda: {"made by": group.rank}) == {"made by": 0}
    with pytest.raises(CommandError, match="no folder"):
        group.once(fail)


def check_gradients(group):
    """Gradients of two parts of unequal size are those of the whole batch."""
    torch.manual_seed(0)
    net, x = nn.Linear(3, 2).double(), torch.randn(7, 3, dtype=torch.float64)
    net(x).square().mean().backward()
    expected = net.weight.grad.clone()
    net.zero_grad()
    mine, parallel = x[group.rows], group.parallel(net, CPU)
    loss = parallel(mine).square().mean()
    (loss * (group.size * len(mine) / len(x))).backward()
    torch.testing.assert_close(net.weight.grad, expected)
    norm = nn.BatchNorm1d(1)
    norm.running_mean.fill_(group.rank)
    group.share_buffers(norm)
    assert norm.running_mean.item() == 0.5


def check_command():
    """A run that is interrupted and resumed, beside one that is not."""
    assert main([*RUN, *LENGTH, "whole"]) == 0
    original, calls = fit.train_epoch, []

    def train_epoch(*given):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*given)

    fit.train_epoch = train_epoch
    assert main([*RUN, *LENGTH, "parts"]) == 130
    fit.train_epoch = original
    assert main(["train", "--resume", "parts"]) == 0
    assert main([*RUN, *LENGTH, "whole"]) == 2  # --out-dir is not empty


if __name__ == "__main__":
    with joined(CPU) as together:
        check_objects(together)
        check_gradients(together)
        check_command()
    sys.stdout.flush()
    # In one piece, as both processes write to the same place.
    os.write(1, f"{os.environ['RANK']}:agreed\n".encode())
    # Threads of torch's gloo now and then abort an interpreter that ends; all is checked by now.
    sys.stderr.flush()
    os._exit(0)
