"""How much does training a stack of convolution, batch norm and LIF keep, and what does less cost?

Each way to train is compared with SpikingJelly 2.0.0, where it is installed: bytes saved for the
backward per value that fires and step, the peak of the process (of its own, above what a first
small pass left), and the time of a training step, round by round, so that a busy machine hurts
all alike; the clock is the process's own time. Gradients are compared before. Rows are appended
to memory.csv.
"""

import argparse
import csv
import datetime
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from spikeframe import convert, layer, memory, neuron, surrogate

TABLE = Path(__file__).with_suffix(".csv")
STEPS = 4
SHAPES = ((16, 32, 32, 32), (32, 64, 16, 16))
DEPTH = 8
IN_CHANNELS = 2
PEER = "spikingjelly"
COLUMNS = (
    *("date", "commit", "torch", "machine", "load", "threads", "T", "shape", "depth", "way"),
    *("saved_bytes", "times_less", "peak_mib", "ms", "ms_20", "ms_80"),
    *("extra_over_spikingjelly", "extra_over_plain"),
)


def blocks(channels: int) -> list[list[nn.Module]]:
    """Convolution, norm and neuron, DEPTH times, from a seed."""
    torch.manual_seed(0)
    made = []
    for i in range(DEPTH):
        conv = layer.Conv2d(channels if i else IN_CHANNELS, channels, 3, padding=1, bias=False)
        lif = neuron.LIFNode(2.0, surrogate_function=surrogate.ATan(), detach_reset=True)
        made.append([conv, layer.BatchNorm2d(channels), lif])
        for module in made[-1]:
            module.step_mode = "m"
    return made


def plain(channels: int) -> nn.Module:
    """Everything is kept as it is."""
    return nn.Sequential(*(nn.Sequential(*block) for block in blocks(channels)))


def packed(channels: int) -> nn.Module:
    """Convolutions keep their spikes as bits."""
    net = plain(channels)
    memory.pack_spikes(net)
    return net


def fused(channels: int) -> nn.Module:
    """Bits, and norm and neuron as one layer."""
    net = convert.fuse(plain(channels))
    memory.pack_spikes(net)
    return net


def half_recomputed(channels: int) -> nn.Module:
    """As that; of every second block its input alone, as bits."""
    made = [nn.Sequential(conv, memory.NormNeuron(*rest)) for conv, *rest in blocks(channels)]
    parts = [memory.Checkpointed(block) if i % 2 else block for i, block in enumerate(made)]
    net = nn.Sequential(*parts)
    memory.pack_spikes(net)
    return net


def norms_recomputed(channels: int) -> nn.Module:
    """Bits, and of norm and neuron their input alone."""
    made = blocks(channels)
    net = nn.Sequential(*(nn.Sequential(conv, memory.Checkpointed(*rest)) for conv, *rest in made))
    memory.pack_spikes(net)
    return net


def blocks_recomputed(channels: int) -> nn.Module:
    """Of each block its input alone, as bits."""
    return nn.Sequential(*(memory.Checkpointed(*block) for block in blocks(channels)))


def spikingjelly(channels: int) -> nn.Module:
    """SpikingJelly's layers of the same weights."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    made: list[nn.Module] = []
    for i in range(DEPTH):
        conv = layer.Conv2d(channels if i else IN_CHANNELS, channels, 3, padding=1, bias=False)
        lif = neuron.LIFNode(2.0, surrogate_function=surrogate.ATan(), detach_reset=True)
        made.append(nn.Sequential(conv, layer.BatchNorm2d(channels), lif))
    net = nn.Sequential(*made)
    functional.set_step_mode(net, "m")
    net.load_state_dict(plain(channels).state_dict())
    return net


WAYS: dict[str, Callable[[int], nn.Module]] = {
    PEER: spikingjelly,
    "plain": plain,
    "packed": packed,
    "fused": fused,
    "fused, half recomputed": half_recomputed,
    "norms recomputed": norms_recomputed,
    "blocks recomputed": blocks_recomputed,
}


def reset(net: nn.Module) -> None:
    """Back to the first step."""
    for module in net.modules():
        if hasattr(module, "memories"):
            module.reset()


def train(net: nn.Module, x_seq: Tensor) -> None:
    """Forward and backward of one batch."""
    reset(net)
    net.zero_grad()
    net(x_seq).sum().backward()


def inputs(shape: tuple[int, ...]) -> Tensor:
    """A random sequence."""
    batch, _, *size = shape
    generator = torch.Generator().manual_seed(1)
    return torch.rand(STEPS, batch, IN_CHANNELS, *size, generator=generator)


def check(nets: dict[str, nn.Module], x_seq: Tensor) -> None:
    """Raise an AssertionError unless all have the gradients of the plain net."""
    for net in nets.values():
        train(net, x_seq)
    expected = [p.grad for p in nets["plain"].parameters()]
    for name, net in nets.items():
        found = [p.grad for p in net.parameters()]
        for ours, reference in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, reference, rtol=1e-3, atol=1e-3, msg=name)


def saved_bytes(way: str, net: nn.Module, x_seq: Tensor, shape: tuple[int, ...]) -> float:
    """Bytes kept for the backward per value that fires and step."""
    values = DEPTH * STEPS * torch.Size(shape).numel()
    if way != PEER:
        reset(net)
        return memory.report(net, x_seq).bytes / values
    own = {t.untyped_storage().data_ptr() for t in (x_seq, *net.parameters(), *net.buffers())}
    kept: list[Any] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    reset(net)
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        net(x_seq)
    storages = (tensor.untyped_storage() for tensor in kept)
    sizes = {s.data_ptr(): s.nbytes() for s in storages if s.data_ptr() not in own}
    return sum(sizes.values()) / values


def peak_mib(way: str, shape: tuple[int, ...]) -> float:
    """What one training step adds to the peak of a process of its own."""
    words = [sys.executable, __file__, "--peak", way, *map(str, shape)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def print_peak(way: str, shape: tuple[int, ...]) -> None:
    """In that process: a small step first, so that libraries are loaded."""
    torch.set_num_threads(1)
    net, x_seq = WAYS[way](shape[1]), inputs(shape)
    train(net, inputs((1, *shape[1:])))
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak so far is forgotten
    before = status_kib("VmRSS")
    train(net, x_seq)
    print((status_kib("VmHWM") - before) / 1024)


def status_kib(name: str) -> int:
    """A line of what Linux says of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def measure(shape: tuple[int, ...], rounds: int) -> list[dict[str, object]]:
    """A row for each way."""
    load = os.getloadavg()[0]
    nets = {}
    for way, make in WAYS.items():
        try:
            nets[way] = make(shape[1])
        except ImportError as error:
            print(f"{way} takes no part: {error}", file=sys.stderr)
    x_seq = inputs(shape)
    check(nets, x_seq)
    times: dict[str, list[float]] = {way: [] for way in nets}
    for _ in range(rounds):
        for way, net in nets.items():
            start = time.process_time()
            train(net, x_seq)
            times[way].append(time.process_time() - start)
    saved = {way: saved_bytes(way, net, x_seq, shape) for way, net in nets.items()}
    medians = {way: statistics.median(values) for way, values in times.items()}
    rows = []
    for way, values in times.items():
        fifths = statistics.quantiles(values, n=5)
        row = {
            "date": datetime.date.today().isoformat(),
            "commit": commit(),
            "torch": torch.__version__,
            "machine": machine(),
            "load": f"{load:.1f}",
            "threads": 1,
            "T": STEPS,
            "shape": "x".join(map(str, shape)),
            "depth": DEPTH,
            "way": way,
            "saved_bytes": f"{saved[way]:.3f}",
            "times_less": f"{saved[PEER] / saved[way]:.2f}" if PEER in saved else "",
            "peak_mib": f"{peak_mib(way, shape):.0f}",
            "ms": f"{medians[way] * 1e3:.1f}",
            "ms_20": f"{fifths[0] * 1e3:.1f}",
            "ms_80": f"{fifths[-1] * 1e3:.1f}",
            "extra_over_plain": f"{medians[way] / medians['plain'] - 1:.2f}",
        }
        if PEER in medians:
            row["extra_over_spikingjelly"] = f"{medians[way] / medians[PEER] - 1:.2f}"
        rows.append(row)
    return rows


def commit() -> str:
    """The commit that is measured, with a + where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+"]
    folder = Path(__file__).resolve().parent
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.stdout.strip()


def machine() -> str:
    """The processor, as the system calls it, and the number of cores."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores {named[0] if named else platform.machine()}"


def show(rows: list[dict[str, object]]) -> None:
    """Print the rows of one shape."""
    print(f"\nT={STEPS}, [{rows[0]['shape']}], {DEPTH} blocks")
    lines = [COLUMNS[9:], *(tuple(str(row.get(name, "")) for name in COLUMNS[9:]) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def append(rows: list[dict[str, object]], table: Path) -> None:
    """Add rows to the table."""
    new = not table.exists()
    with open(table, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Measure, print and append, shape by shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE, help="the table to append to")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds, 2 at least")
    parser.add_argument("--peak", nargs=5, metavar=("WAY", "N", "C", "H", "W"), help="internal")
    options = parser.parse_args()
    if options.peak:
        way, *sizes = options.peak
        print_peak(way, tuple(map(int, sizes)))
        return
    torch.set_num_threads(1)
    for shape in SHAPES:
        rows = measure(shape, options.rounds)
        show(rows)
        append(rows, options.out)


if __name__ == "__main__":
    main()
