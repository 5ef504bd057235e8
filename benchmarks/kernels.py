"""How fast is a LIF layer over time on each backend, and how much does it keep?

Times a training pass (forward and backward) and an inference pass of every contender in turn,
round by round, so that a busy machine hurts all alike; spikes are compared before. Peers take part
where they are installed. With one thread the clock is the process's own time. Rows are appended
to kernels.csv. Where a pass meets memory that malloc gave back to the system, page faults cost
more than the pass (their median is in the table); MALLOC_TRIM_THRESHOLD_=10000000000
MALLOC_MMAP_THRESHOLD_=10000000000 in the environment keeps it.
"""

import argparse
import csv
import datetime
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from spikeframe import kernels, neuron, surrogate

TABLE = Path(__file__).with_suffix(".csv")
SHAPES = ((4, 32, 32768), (16, 64, 1024), (100, 128, 256), (1000, 16, 512))
TAU = 2.0
PEER = "spikingjelly"
COLUMNS = (
    *("date", "commit", "torch", "machine", "load", "threads", "malloc", "contender"),
    *("step_mode", "shape", "pass", "ms", "ms_20", "ms_80", "times_spikingjelly", "times_eager"),
    *("faults", "saved_bytes", "copy_gb_s", "of_copy"),
)

# Bytes of x that must move: read x, write spikes; and read x and their gradient, write x's.
LEAST = {"inference": 2, "training": 5}


@dataclass(frozen=True)
class Contender:
    """One implementation: from x_seq to spikes, from the reset state."""

    name: str
    step_mode: str
    run: Callable[[Tensor], Tensor]
    equal: bool = True


def ours(backend: str, step_mode: str) -> Contender:
    """This package, the whole sequence at once or step by step."""
    node = neuron.LIFNode(
        TAU, surrogate_function=surrogate.ATan(), step_mode=step_mode, backend=backend
    )

    def run(x_seq: Tensor) -> Tensor:
        node.reset()
        if step_mode == "m":
            return node(x_seq)
        return torch.stack([node(x) for x in x_seq.unbind(0)])

    return Contender(backend, step_mode, run)


def spikingjelly() -> Contender:
    """SpikingJelly's LIFNode, whose spikes ours are equal to."""
    from spikingjelly.activation_based import neuron, surrogate

    node = neuron.LIFNode(TAU, surrogate_function=surrogate.ATan(), step_mode="m")

    def run(x_seq: Tensor) -> Tensor:
        node.reset()
        return node(x_seq)

    return Contender(PEER, "m", run)


def snntorch() -> Contender:
    """snnTorch's Leaky in a loop: another equation, so its spikes are not compared."""
    import snntorch

    node = snntorch.Leaky(beta=1 - 1 / TAU, spike_grad=snntorch.surrogate.atan())

    def run(x_seq: Tensor) -> Tensor:
        membrane = node.reset_mem()
        spikes = []
        for x in x_seq.unbind(0):
            spike, membrane = node(x, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    return Contender("snntorch", "s", run, equal=False)


def contenders() -> list[Contender]:
    """Every backend that serves here, and the peers that are installed."""
    names = [n for n in kernels.BACKENDS if kernels.why_not(neuron.LIFNode(), n) is None]
    found = [ours(name, "m") for name in names]
    found += [ours(name, "s") for name in names if name in ("cpp", "eager")]
    for make in (spikingjelly, snntorch):
        try:
            found.append(make())
        except ImportError as error:
            print(f"{make.__name__} takes no part: {error}", file=sys.stderr)
    return found


def check(group: list[Contender], x_seq: Tensor) -> None:
    """Raise an AssertionError unless all that should be are equal to the eager spikes."""
    expected = ours("eager", "m").run(x_seq)
    for contender in group:
        if contender.equal and not torch.equal(contender.run(x_seq), expected):
            raise AssertionError(f"{contender.name} ({contender.step_mode}) gives other spikes")


def saved_bytes(contender: Contender, x_seq: Tensor) -> float:
    """Bytes kept for the backward per neuron and step, beyond the input itself."""
    x_seq = x_seq.detach().requires_grad_()
    kept = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.untyped_storage())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        spikes = contender.run(x_seq)
    sizes = {storage.data_ptr(): storage.nbytes() for storage in kept}
    sizes.pop(x_seq.untyped_storage().data_ptr(), None)
    return sum(sizes.values()) / spikes.numel()


def passes(contender: Contender, x_seq: Tensor, grad: Tensor) -> dict[str, Callable[[], None]]:
    """What is timed."""
    leaf = x_seq.detach().clone().requires_grad_()

    def training() -> None:
        contender.run(leaf).backward(grad)
        leaf.grad = None

    def inference() -> None:
        with torch.no_grad():
            contender.run(x_seq)

    return {"training": training, "inference": inference}


def timed(
    actions: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, list[tuple[float, int]]]:
    """Seconds and page faults of each action, in turn; the first round is left out."""
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in actions}
    for _ in range(rounds + 1):
        for name, action in actions.items():
            faults, start = page_faults(), clock()
            action()
            found[name].append((clock() - start, page_faults() - faults))
    return {name: values[1:] for name, values in found.items()}


def page_faults() -> int:
    """Pages that this process has met for the first time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def median(values: list[tuple[float, int]]) -> float:
    """The median of the seconds."""
    return statistics.median(seconds for seconds, _ in values)


def measure(shape: tuple[int, ...], threads: int, rounds: int) -> list[dict[str, object]]:
    """A row for each contender and pass."""
    torch.manual_seed(0)
    x_seq, grad, room = torch.rand(shape) * 2, torch.rand(shape), torch.empty(shape)
    group = contenders()
    check(group, x_seq)
    actions: dict[str, Callable[[], object]] = {"copy": lambda: room.copy_(x_seq)}
    for index, contender in enumerate(group):
        for name, action in passes(contender, x_seq, grad).items():
            actions[f"{index} {name}"] = action
    clock = time.process_time if threads == 1 else time.perf_counter
    load = os.getloadavg()[0]
    seconds = timed(actions, rounds, clock)
    size = x_seq.numel() * x_seq.element_size()
    copy = 2 * size / median(seconds["copy"])
    return [
        common(threads, load)
        | {
            "contender": contender.name,
            "step_mode": contender.step_mode,
            "shape": "x".join(map(str, shape)),
            "pass": name,
            "saved_bytes": f"{saved_bytes(contender, x_seq):.1f}" if name == "training" else "",
            "copy_gb_s": f"{copy / 1e9:.1f}",
        }
        | figures(name, index, group, seconds, size, copy)
        for index, contender in enumerate(group)
        for name in LEAST
    ]


def figures(
    name: str,
    index: int,
    group: list[Contender],
    seconds: dict[str, list[tuple[float, int]]],
    size: int,
    copy: float,
) -> dict[str, object]:
    """The times of one contender, as they are and against others."""
    own = seconds[f"{index} {name}"]
    middle = median(own)
    fifths = statistics.quantiles([value for value, _ in own], n=5)
    medians = {
        other.name: median(seconds[f"{i} {name}"])
        for i, other in enumerate(group)
        if (other.name, other.step_mode) in ((PEER, "m"), ("eager", "m"))
    }
    return {
        "ms": f"{middle * 1e3:.3f}",
        "ms_20": f"{fifths[0] * 1e3:.3f}",
        "ms_80": f"{fifths[-1] * 1e3:.3f}",
        "faults": round(statistics.median(faults for _, faults in own)),
        "times_spikingjelly": f"{medians[PEER] / middle:.2f}" if PEER in medians else "",
        "times_eager": f"{medians['eager'] / middle:.2f}",
        "of_copy": f"{LEAST[name] * size / middle / copy:.2f}",
    }


def common(threads: int, load: float) -> dict[str, object]:
    """What the rows of one run share."""
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "torch": torch.__version__,
        "machine": machine(),
        "load": f"{load:.1f}",
        "threads": threads,
        "malloc": "keeps" if "MALLOC_TRIM_THRESHOLD_" in os.environ else "default",
    }


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
    first = rows[0]
    print(f"\n[{first['shape']}], {first['threads']} thread(s), copy {first['copy_gb_s']} GB/s")
    shown = (
        *("contender", "step_mode", "pass", "ms", "ms_20", "ms_80"),
        *("times_spikingjelly", "times_eager", "faults", "saved_bytes", "of_copy"),
    )
    lines = [shown, *(tuple(str(row[column]) for column in shown) for row in rows)]
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
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds, 2 at least")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="numbers of threads")
    options = parser.parse_args()
    for threads in options.threads:
        torch.set_num_threads(threads)
        for shape in SHAPES:
            rows = measure(shape, threads, options.rounds)
            show(rows)
            append(rows, options.out)


if __name__ == "__main__":
    main()
