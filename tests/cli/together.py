"""Run by torchrun: what the processes of a group do together comes to what one would do."""

import pytest
import torch
from torch import nn

from spikeframe.cli.errors import CommandError
from spikeframe.cli.group import joined


def fail():
    """The first process's trouble."""
    raise CommandError("no folder")


def main():
    """Compare sums, objects, errors, gradients and statistics with those of a single process."""
    cpu = torch.device("cpu")
    with joined(cpu) as group:
        assert group.size == 2
        assert group.sum([group.rank + 1.0, 2.0**-60]) == [3.0, 2.0**-59]
        assert group.gather(f"of {group.rank}") == ["of 0", "of 1"]
        assert group.once(lambda: {"made by": group.rank}) == {"made by": 0}
        with pytest.raises(CommandError, match="no folder"):
            group.once(fail)

        torch.manual_seed(0)
        net, x = nn.Linear(3, 2).double(), torch.randn(7, 3, dtype=torch.float64)
        net(x).square().mean().backward()
        expected = net.weight.grad.clone()
        net.zero_grad()
        mine, parallel = x[group.rows], group.parallel(net, cpu)
        loss = parallel(mine).square().mean()
        (loss * (group.size * len(mine) / len(x))).backward()
        torch.testing.assert_close(net.weight.grad, expected)

        norm = nn.BatchNorm1d(1)
        norm.running_mean.fill_(group.rank)
        group.share_buffers(norm)
        assert norm.running_mean.item() == 0.5
        print(f"{group.rank}:agreed", flush=True)


if __name__ == "__main__":
    main()
