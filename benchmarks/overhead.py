"""What does a call of a small node cost, and a single step by its lines and by a kernel?

Calls of a LIF layer of [4, 1, 64], without and with its backward, beside as many of ``x * 2`` and
of the smallest autograd.Function; and single steps, by the node's own lines and as 'auto' runs
them once many have come. All in turn, round by round, by the process's own time, on one thread.
Rows are appended to overhead.csv.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from measured.clock import middle, timed
from measured.report import COMMON, append, common, show
from torch import Tensor

from spikeframe import neuron

TABLE = Path(__file__).with_suffix(".csv")
SHOWN = ("shape", "contender", "pass", "us", "times")
COLUMNS = (*COMMON, *SHOWN)
CPU = torch.device("cpu")
STEPS = ((1, 64), (32, 256), (32, 32768))
# More single steps than 'auto' leaves to the lines.
WARM = 40

Row = dict[str, object]


class Copied(torch.autograd.Function):
    """The least that a function of one's own can do."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.clone()


def inference(run: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[int], Tensor]:
    """A call, to be made without gradients."""
    return lambda call: run(x)


def training(run: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[int], None]:
    """A call and its backward."""
    x, grad = x.clone().requires_grad_(), torch.ones_like(x)

    def action(call: int) -> None:
        run(x).backward(grad)
        x.grad = None

    return action


def from_rest(node: neuron.LIFNode) -> Callable[[Tensor], Tensor]:
    """A node's call after a reset."""

    def run(x: Tensor) -> Tensor:
        node.reset()
        return node(x)

    return run


def rows_of(
    x: Tensor, runs: dict[str, Callable[[Tensor], Tensor]], first: str, rounds: int
) -> list[Row]:
    """A row for each contender and pass, over the time of the first."""
    samples = {}
    for kind, make in (("inference", inference), ("training", training)):
        actions = {f"{name}/{kind}": make(run, x) for name, run in runs.items()}
        with torch.set_grad_enabled(kind == "training"):
            for call in range(WARM):
                for action in actions.values():
                    action(call)
            samples |= timed(actions, rounds, CPU, 1)
    rows = []
    for key, found in samples.items():
        name, kind = key.split("/")
        pairs = zip(found, samples[f"{first}/{kind}"], strict=True)
        rows.append(
            {
                "shape": "x".join(map(str, x.shape)),
                "contender": name,
                "pass": kind,
                "us": f"{middle(found) * 1e6:.1f}",
                "times": f"{median(a.seconds / b.seconds for a, b in pairs):.2f}",
            }
        )
    return rows


def main() -> None:
    """Measure, print and append."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE, help="the table to append to")
    parser.add_argument("--rounds", type=int, default=25, help="timed rounds, 2 at least")
    options = parser.parse_args()
    torch.set_num_threads(1)
    node = neuron.LIFNode(step_mode="m")
    runs = {"x * 2": lambda x: x * 2, "function": Copied.apply, "node": from_rest(node)}
    rows = rows_of(torch.rand(4, 1, 64), runs, "x * 2", options.rounds)
    for size in STEPS:
        steps = {f"step, {b}": from_rest(neuron.LIFNode(backend=b)) for b in ("eager", "auto")}
        rows += rows_of(2 * torch.rand(size), steps, "step, eager", options.rounds)
    rows = [common(CPU, 1) | row for row in rows]
    show("microseconds, and over the first of each group", rows, SHOWN)
    append(rows, options.out, COLUMNS)


if __name__ == "__main__":
    main()
