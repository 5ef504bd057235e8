"""Is the training loop of snnTorch's tutorials faster on spikeframe, import changed and in 'm'?

A net 784-1000-10 of two Leaky neurons is trained on 128 samples for 25 steps, with the cross
entropy of the potentials at every step and Adam, as tutorial 5 does it: by snnTorch 1.0.0, by the
same lines on ``spikeframe.compat.snntorch``, and by the facade's step_mode 'm'. Inputs change at
every step (Poisson), or are one image shown 25 times. Spikes are compared before; contenders take
turns, so that a busy machine hurts all alike, and the clock is the process's own time. Rows are
appended to snntorch_facade.csv.
"""

import argparse
import csv
import datetime
import os
import platform
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import spikeframe.compat.snntorch as facade
from spikeframe import functional, layer

TABLE = Path(__file__).with_suffix(".csv")
STEPS, BATCH, SIZES, BETA = 25, 128, (784, 1000, 10), 0.95
COLUMNS = (
    *("date", "commit", "torch", "machine", "load", "threads", "input", "contender"),
    *("ms", "ms_20", "ms_80", "times_snntorch"),
)


class Loop(nn.Module):
    """The tutorial's net: a loop over time that passes the states."""

    def __init__(self, snn: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.fc2 = nn.Linear(*SIZES[:2]), nn.Linear(*SIZES[1:])
        self.lif1, self.lif2 = snn.Leaky(beta=BETA), snn.Leaky(beta=BETA)

    def forward(self, x_seq: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes and potentials of all steps."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for step in range(STEPS):
            cur1 = self.fc1(x_seq[step])
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec), torch.stack(mem2_rec)


class Sequence(Loop):
    """The same net on whole sequences, with linear layers that compute a static input once."""

    def __init__(self) -> None:
        super().__init__(facade)
        self.fc1, self.fc2 = (_ours(fc) for fc in (self.fc1, self.fc2))
        functional.set_step_mode(self, "m")
        self.lif1.init_hidden = True

    def forward(self, x_seq: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes and potentials of all steps."""
        functional.reset_net(self)
        spikes, potentials = self.lif2(self.fc2(self.lif1(self.fc1(x_seq))))
        return spikes, potentials


def _ours(linear: nn.Linear) -> nn.Linear:
    made = layer.Linear(linear.in_features, linear.out_features)
    made.load_state_dict(linear.state_dict())
    return made


def contenders() -> dict[str, nn.Module]:
    """The nets, of one seed."""
    nets: dict[str, nn.Module] = {"facade loop": Loop(facade), "facade m": Sequence()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import snntorch
        except ModuleNotFoundError:
            return nets
    return {"snntorch": Loop(snntorch), **nets}


def inputs() -> dict[str, Tensor]:
    """Poisson spikes, and one image at every step."""
    image = torch.rand(BATCH, SIZES[0], generator=torch.Generator().manual_seed(1))
    draws = torch.rand(STEPS, *image.shape, generator=torch.Generator().manual_seed(2))
    return {"poisson": (draws < image).float(), "static": image.expand(STEPS, *image.shape)}


def check(nets: dict[str, nn.Module], x_seq: Tensor) -> None:
    """Raise unless the spikes of all are equal but for those that rounding decides."""
    with torch.no_grad():
        spikes = [net(x_seq)[0] for net in nets.values()]
    for other in spikes[1:]:
        share = (other != spikes[0]).float().mean().item()
        if share > 1e-3:
            raise RuntimeError(f"the nets differ in {share:.2%} of their spikes")


def training(net: nn.Module, x_seq: Tensor, target: Tensor) -> Callable[[], None]:
    """One training step."""
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-4, betas=(0.9, 0.999))

    def step() -> None:
        _, mem_rec = net(x_seq)
        loss = torch.zeros(())
        for mem in mem_rec:
            loss = loss + F.cross_entropy(mem, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def measure(name: str, x_seq: Tensor, rounds: int) -> list[dict[str, object]]:
    """Milliseconds of a training step, round by round."""
    nets = contenders()
    check(nets, x_seq)
    target = torch.randint(10, (BATCH,), generator=torch.Generator().manual_seed(3))
    steps = {contender: training(net, x_seq, target) for contender, net in nets.items()}
    for step in steps.values():
        step()
    load = os.getloadavg()[0]
    times: dict[str, list[float]] = {contender: [] for contender in steps}
    for _ in range(rounds):
        for contender, step in steps.items():
            start = time.process_time()
            step()
            times[contender].append((time.process_time() - start) * 1e3)
    base = statistics.median(times["snntorch"]) if "snntorch" in times else None
    return [row(name, contender, values, base, load) for contender, values in times.items()]


def row(
    name: str, contender: str, values: list[float], base: float | None, load: float
) -> dict[str, object]:
    """One row of the table."""
    low, middle, high = (statistics.quantiles(values, n=10)[i] for i in (1, 4, 7))
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "torch": torch.__version__,
        "machine": machine(),
        "load": f"{load:.1f}",
        "threads": torch.get_num_threads(),
        "input": name,
        "contender": contender,
        "ms": f"{middle:.1f}",
        "ms_20": f"{low:.1f}",
        "ms_80": f"{high:.1f}",
        "times_snntorch": f"{base / middle:.2f}" if base else "",
    }


def commit() -> str:
    """The commit that is measured."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def machine() -> str:
    """The processor."""
    lines = (
        Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    )
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores {named[0] if named else platform.machine()}"


def main() -> None:
    """Measure both inputs and append the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--table", type=Path, default=TABLE)
    given = parser.parse_args()
    torch.set_num_threads(1)  # the time of all threads would be counted
    rows = [r for name, x in inputs().items() for r in measure(name, x, given.rounds)]
    for found in rows:
        print(*(f"{found[key]}" for key in ("input", "contender", "ms", "times_snntorch")))
    new = not given.table.exists()
    with given.table.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
