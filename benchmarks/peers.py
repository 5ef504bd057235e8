"""How fast do whole networks train and run, beside those of the other frameworks?

The same network, weights, data, loss and optimiser in each framework that is installed. Outputs
are compared first, where the frameworks have the same neuron. Then a training step and an
inference of each are timed in turn, round by round; with one thread the clock is the process's own
time. A static image is shown in the two ways in which users write it: ``.repeat(T, ...)``, and
expanded (as ``encoding.Direct`` does). The rows of a workload take the place of its older ones in
peers.csv, unless the machine was too busy to tell or no peer took part: then they are printed and
left out. ``--plot`` draws the table, ``--profile`` tells where this package's time goes.
"""

import argparse
import csv
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles

import torch
from measured.clock import Sample, middle, timed
from measured.networks_plot import plot
from measured.peak import peak_alone
from measured.report import COMMON, append, common, show
from networks import nets
from networks.kits import KITS, Kit
from torch import Tensor, nn

from spikeframe import functional, monitor

TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = (
    *COMMON,
    *("workload", "contender", "input", "pass", "ms", "ms_20", "ms_80", "times_best_peer"),
    *("faults", "peak_mib"),
)
SHOWN = (
    *("contender", "input", "pass", "ms", "ms_20", "ms_80", "times_best_peer", "faults"),
    "peak_mib",
)
# Where the slowest fifth took so much longer than the fastest, others were using the machine.
MOST_SPREAD = 1.6
# So much more than its own threads may the machine have to do: the last run is still counted.
MOST_LOAD = 0.7
# A few pages of a library may come from disk late; many are memory that had been swapped out.
MOST_WAITED = 100
# What rows must have in common with older ones to take their place.
PLACE = ("workload", "machine", "device", "threads")

Row = dict[str, object]


@dataclass(frozen=True)
class Workload:
    """A network and what it is given.

    Arguments:
        net: Makes the network of a kit.
        steps: T.
        batch: N.
        shape: The shape of one sample at one step.
        static: Whether every step shows the same image; else they are random spikes.
        rate: The mean of random spikes.
        convolves: Whether the order of channels matters.
        streams: Whether single steps are run as they come, without training.
    """

    net: Callable[[Kit], nn.Module]
    steps: int
    batch: int
    shape: tuple[int, ...]
    static: bool = True
    rate: float = 0.3
    convolves: bool = False
    streams: bool = False


WORKLOADS = {
    "a: MLP, static": Workload(nets.mlp, 25, 128, (1, 28, 28)),
    "a: MLP, Poisson": Workload(nets.mlp, 25, 128, (1, 28, 28), static=False),
    "b: conv net": Workload(nets.conv_net, 4, 32, (1, 28, 28), convolves=True),
    "c: VGG-9": Workload(nets.vgg9, 4, 32, (3, 32, 32), convolves=True),
    "d: SEW-ResNet-18": Workload(nets.sew_resnet18, 4, 8, (3, 64, 64), convolves=True),
    "e: recurrent": Workload(nets.recurrent_net, 100, 64, (700,), static=False, rate=0.05),
    "f: streaming": Workload(nets.mlp, 25, 1, (1, 28, 28), static=False, streams=True),
    "g: Spikformer": Workload(nets.spikformer, 4, 16, (3, 32, 32), convolves=True),
}


@dataclass(frozen=True)
class Contender:
    """A network of one kit, and its input."""

    kit: Kit
    net: nn.Module
    x_seq: Tensor
    form: str
    optimiser: torch.optim.Optimizer

    def train(self, labels: Tensor) -> None:
        """A training step."""
        self.optimiser.zero_grad()
        scores = self.kit.run(self.net, self.x_seq).mean(0)
        nn.functional.cross_entropy(scores, labels).backward()
        self.optimiser.step()

    def infer(self) -> Tensor:
        """The outputs."""
        with torch.no_grad():
            return self.kit.run(self.net, self.x_seq)

    def stream(self) -> Tensor:
        """The outputs, step by step."""
        with torch.no_grad():
            return self.kit.stream(self.net, self.x_seq)


def inputs(workload: Workload, device: torch.device) -> dict[str, Tensor]:
    """The sequence in each of the ways in which it is written."""
    size = workload.batch, *workload.shape
    if not workload.static:
        spikes = torch.rand(workload.steps, *size, device=device) < workload.rate
        return {"spikes": spikes.float()}
    image, ones = torch.rand(size, device=device), [1] * len(size)
    return {
        "repeated": image.unsqueeze(0).repeat(workload.steps, *ones),
        "expanded": image.expand(workload.steps, *size),
    }


def contenders(workload: Workload, device: torch.device, names: list[str]) -> list[Contender]:
    """Every kit that is installed and serves, with the same weights and inputs."""
    torch.manual_seed(0)
    written = inputs(workload, device)
    first, found = None, []
    for name in names:
        try:
            kit = KITS[name]()
            if kit.channels_last > workload.convolves or workload.streams > kit.streams:
                continue
            net = kit.ready(workload.net(kit)).to(device)
        except (ImportError, NotImplementedError) as error:
            print(f"{name} takes no part: {error}")
            continue
        first = first or net
        kit.load(net, list(first.parameters()))
        for form, x_seq in written.items():
            if form == "expanded" and not name.startswith(("spikeframe", "spikingjelly")):
                continue
            optimiser = torch.optim.SGD(net.parameters(), lr=1e-4)
            found.append(Contender(kit, net, laid(x_seq, kit), form, optimiser))
    return found


def laid(x_seq: Tensor, kit: Kit) -> Tensor:
    """A sequence with channels last, for a kit that wants it so; static ones stay so."""
    if not kit.channels_last:
        return x_seq
    if x_seq.stride(0) == 0:
        image = x_seq[0].contiguous(memory_format=torch.channels_last)
        return image.expand(x_seq.shape)
    folded = x_seq.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    return folded.unflatten(0, x_seq.shape[:2])


def check(group: list[Contender]) -> None:
    """Raise an AssertionError unless outputs agree, in double precision.

    In single precision the rounding of a layer decides for neurons at their threshold, and there
    the networks part.
    """
    expected = doubled(group[0])
    for contender in group[1:]:
        if not contender.kit.exact:
            continue
        found = doubled(contender)
        if not torch.allclose(found, expected, rtol=1e-6, atol=1e-9):
            worst = float((found - expected).abs().max())
            raise AssertionError(f"{contender.kit.name} gives other outputs, by {worst:.2g}")


def doubled(contender: Contender) -> Tensor:
    """The outputs in double precision."""
    contender.net.double().train()
    found = replace(contender, x_seq=contender.x_seq.double()).infer()
    contender.net.float()
    return found


def measure(name: str, options: argparse.Namespace) -> list[Row]:
    """A row for each contender and pass."""
    workload, device = WORKLOADS[name], torch.device(options.device)
    threads = torch.get_num_threads()
    group = contenders(workload, device, options.kits)
    labels = torch.randint(10, (workload.batch,), device=device)
    actions: dict[str, Callable[[int], object]] = {}
    for i, each in enumerate(group):
        if workload.streams:
            actions[f"{i} inference"] = lambda call, each=each: each.stream()
        else:
            actions[f"{i} training"] = lambda call, each=each: each.train(labels)
            actions[f"{i} inference"] = lambda call, each=each: each.infer()
    peaks = {key: peak_alone(action, device) for key, action in actions.items()}
    check(group)
    if device.type == "cpu" and torch.get_num_threads() != threads:
        raise RuntimeError(f"a package has set {torch.get_num_threads()} threads, not {threads}")
    samples = timed(actions, options.rounds, device, threads)
    shared = common(device, threads) | {"workload": name}
    return [
        shared
        | {"contender": each.kit.name, "input": each.form, "pass": kind}
        | times(samples[f"{i} {kind}"])
        | {"times_best_peer": against(kind, i, group, samples)}
        | {"peak_mib": f"{peaks[f'{i} {kind}'] / 2**20:.1f}"}
        for i, each in enumerate(group)
        for kind in ("training", "inference")
        if f"{i} {kind}" in actions
    ]


def times(samples: list[Sample]) -> Row:
    """Median and fifths."""
    fifths = quantiles([sample.seconds for sample in samples], n=5)
    return {
        "ms": f"{middle(samples) * 1e3:.3f}",
        "ms_20": f"{fifths[0] * 1e3:.3f}",
        "ms_80": f"{fifths[-1] * 1e3:.3f}",
        "faults": round(sum(sample.faults for sample in samples) / len(samples)),
    }


def against(kind: str, i: int, group: list[Contender], samples: dict[str, list[Sample]]) -> str:
    """How many times faster than the fastest of the peers, however it lays out its input."""
    peers = [
        middle(samples[f"{j} {kind}"])
        for j, other in enumerate(group)
        if not other.kit.name.startswith("spikeframe")
    ]
    return f"{min(peers) / middle(samples[f'{i} {kind}']):.2f}" if peers else ""


def why_not_kept(rows: list[Row], waited: int, most_load: float) -> str | None:
    """What speaks against the rows of a workload; None where nothing does."""
    spread = [(float(str(r["ms_80"])) / float(str(r["ms_20"])), r) for r in rows]
    widest, row = max(spread, key=lambda pair: pair[0])
    if widest > MOST_SPREAD:
        who = f"{row['contender']}, {row['input']}, {row['pass']}"
        return f"the slowest fifth of {who} took {widest:.2f} times as long as the fastest"
    load = float(str(rows[0]["load"]))
    if load > int(str(rows[0]["threads"])) + most_load:
        return f"the machine had a load of {load}"
    if waited > MOST_WAITED:
        return f"{waited} page faults waited for a disk"
    if not any(row["times_best_peer"] for row in rows):
        return "no peer took part (make peers installs them)"
    return None


def keep(rows: list[Row], table: Path) -> None:
    """Put rows in the place of those of the same workload on the same machine."""
    older = []
    if table.exists():
        with open(table, newline="") as file:
            older = list(csv.DictReader(file))
    new = [[str(row[name]) for name in PLACE] for row in rows]
    stays = [row for row in older if [row[name] for name in PLACE] not in new]
    both: list[Row] = [*stays, *rows]
    order = list(WORKLOADS)
    both.sort(key=lambda row: order.index(str(row["workload"])))
    aside = table.with_suffix(".part")
    aside.unlink(missing_ok=True)
    append(both, aside, COLUMNS)
    aside.replace(table)


def tell_profiles(name: str, options: argparse.Namespace) -> None:
    """Print where the time of this package's networks goes."""
    workload, device = WORKLOADS[name], torch.device(options.device)
    labels = torch.randint(10, (workload.batch,), device=device)
    names = [kit for kit in options.kits if kit.startswith("spikeframe")]
    for each in contenders(workload, device, names):
        x_seq = each.x_seq
        if workload.streams:
            functional.set_step_mode(each.net, "s")
            x_seq = x_seq[0]
        for backward in (False,) if workload.streams else (True, False):
            found = monitor.profile(
                each.net,
                x_seq,
                backward=backward,
                loss=lambda scores: nn.functional.cross_entropy(scores.mean(0), labels),
                runs=options.rounds,
            )
            print(f"\n{name}: {each.kit.name}, {each.form}\n{found}", flush=True)


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, default=TABLE, help="the table in which rows are kept")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--rounds", type=int, default=11, help="timed rounds, 2 at least")
    add("--threads", type=int, default=1, help="number of threads, on the CPU")
    add("--workloads", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    add("--kits", nargs="+", default=list(KITS), choices=KITS)
    add("--keep", action="store_true", help="keep rows of a busy machine, too")
    add("--most-load", type=float, default=MOST_LOAD, help="beside its own threads")
    add("--plot", type=Path, help="draw the table as this picture, and measure nothing")
    add("--profile", action="store_true", help="print where the time goes, and measure no peer")
    return parser.parse_args()


def main() -> None:
    """Measure, print and keep, workload by workload."""
    options = parsed()
    if options.plot:
        plot(options.out, options.plot)
        return
    if len(options.workloads) > 1:
        # Each in a process of its own, whose memory no other has used before.
        for name in options.workloads:
            subprocess.run([sys.executable, *sys.argv, "--workloads", name], check=True)
        return
    torch.set_num_threads(options.threads)
    for name in options.workloads:
        if options.profile:
            tell_profiles(name, options)
            continue
        waited = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        rows = measure(name, options)
        waited = resource.getrusage(resource.RUSAGE_SELF).ru_majflt - waited
        show(f"{name}, {options.threads} thread(s), load {rows[0]['load']}", rows, SHOWN)
        reason = why_not_kept(rows, waited, options.most_load)
        if reason is None or options.keep:
            keep(rows, options.out)
        if reason is not None:
            print(f"{'kept although' if options.keep else 'not kept:'} {reason}")


if __name__ == "__main__":
    main()
