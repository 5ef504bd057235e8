"""How fast do a million events become frames, beside SpikingJelly and tonic?

Every contender counts the same recording into 16 frames of 128x128 pixels, by number, by time and
by duration; frames are compared before, and what differs is counted in the column events: tonic's
sum to fewer. SpikingJelly gets its events as its own reader of DVS Gesture makes them, int64
columns; ours and tonic's are structured arrays. Peers take part where they are installed. The
contenders run in turn, round by round, so that a busy machine hurts all alike; with one thread the
clock is the process's own time. Rows are appended to events.csv.
"""

import argparse
import csv
import datetime
import importlib
import os
import platform
import statistics
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikeframe.data import counting, make_events, slices, to_frames

TABLE = Path(__file__).with_suffix(".csv")
EVENTS, SPAN, SENSOR, FRAMES = 10**6, 1_500_007, (2, 128, 128), 16
DURATION = SPAN // FRAMES + 1
COLUMNS = (
    *("date", "commit", "torch", "machine", "load", "threads", "contender", "cut"),
    *("events", "ms", "ms_20", "ms_80", "times_spikingjelly"),
)
CUTS = ("number", "time", "duration")

# From a way to cut to frames, any array.
Contender = Callable[[str], Any]


def recording() -> np.ndarray:
    """A million events at random places and times."""
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, SPAN, EVENTS))
    x, y, p = (rng.integers(0, size, EVENTS) for size in SENSOR[::-1])
    return make_events(t, x, y, p)


def ours(events: np.ndarray) -> Contender:
    """As the package counts them: by C++ where there is a compiler."""

    def run(cut: str) -> Any:
        if cut == "duration":
            return to_frames(events, SENSOR, duration=DURATION)
        return to_frames(events, SENSOR, frames_number=FRAMES, split_by=cut)

    return run


def without_compiler(events: np.ndarray) -> Contender:
    """As the package counts them where there is none."""

    def run(cut: str) -> Any:
        cuts = {
            "number": lambda: slices.cut_by_number(EVENTS, FRAMES),
            "time": lambda: slices.cut_by_time(events["t"], FRAMES),
            "duration": lambda: slices.cut_by_duration(events["t"], DURATION),
        }
        return counting.NUMPY(events, cuts[cut](), SENSOR)

    return run


def spikingjelly(events: np.ndarray) -> Contender:
    """SpikingJelly's functions, without torchvision and torchaudio, which they do without."""
    package = importlib.import_module("spikingjelly")
    for name in ("torchvision", "torchvision.transforms", "spikingjelly.datasets"):
        sys.modules[name] = types.ModuleType(name)
    vars(sys.modules["torchvision"])["transforms"] = sys.modules["torchvision.transforms"]
    vars(sys.modules["spikingjelly.datasets"])["__path__"] = [f"{package.__path__[0]}/datasets"]
    utils: Any = importlib.import_module("spikingjelly.datasets.utils")
    columns = {name: events[name].astype(np.int64) for name in "txyp"}

    def run(cut: str) -> Any:
        if cut == "duration":
            return utils.integrate_events_by_fixed_duration(columns, DURATION, *SENSOR[1:])
        return utils.integrate_events_by_fixed_frames_number(columns, cut, FRAMES, *SENSOR[1:])

    return run


def tonic(events: np.ndarray) -> Contender:
    """tonic's ToFrame."""
    transforms: Any = importlib.import_module("tonic.transforms")
    own = np.zeros(EVENTS, [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "?")])
    for name in "xytp":
        own[name] = events[name]
    options: dict[str, dict[str, Any]] = {
        "number": {"n_event_bins": FRAMES},
        "time": {"n_time_bins": FRAMES},
        "duration": {"time_window": DURATION, "include_incomplete": True},
    }
    size = SENSOR[::-1]
    made = {cut: transforms.ToFrame(sensor_size=size, **options[cut]) for cut in CUTS}
    return lambda cut: made[cut](own)


def contenders(events: np.ndarray) -> dict[str, Contender]:
    """All that can run here."""
    found = {"spikeframe": ours(events), "spikeframe, numpy": without_compiler(events)}
    for make in (spikingjelly, tonic):
        try:
            with warnings.catch_warnings(action="ignore"):
                found[make.__name__] = make(events)
        except ModuleNotFoundError as missing:
            print(f"{make.__name__} does not take part: {missing}")
    return found


def compare(found: dict[str, Contender]) -> dict[tuple[str, str], int]:
    """Frames equal SpikingJelly's; the number of events in each contender's."""
    counts = {}
    for cut in CUTS:
        frames = {name: np.asarray(run(cut)) for name, run in found.items()}
        for name, own in frames.items():
            counts[name, cut] = int(own.sum())
            if name != "tonic" and not np.array_equal(own, frames["spikeframe"]):
                raise SystemExit(f"{name}'s frames by {cut} differ")
        if counts["spikeframe", cut] != EVENTS:
            raise SystemExit(f"events are lost by {cut}")
    return counts


def measure(
    found: dict[str, Contender], rounds: int, clock: Callable[[], float]
) -> dict[tuple[str, str], list[float]]:
    """Milliseconds of each contender and cut, round by round."""
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        for name, run in found.items():
            # tonic takes a hundred milliseconds.
            for cut in CUTS if name != "tonic" or number < rounds // 4 else ():
                start = clock()
                run(cut)
                times.setdefault((name, cut), []).append((clock() - start) * 1e3)
    return times


def main() -> None:
    """Compare, measure, append rows, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TABLE, help="the table to append to")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = contenders(recording())
    counts = compare(found)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    rows = table(measure(found, options.rounds, clock), counts, options.threads)
    new = not options.out.exists()
    with open(options.out, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*(f"{row[name]!s:>18}" for name in ("contender", "cut", "ms", "times_spikingjelly")))


def table(
    times: dict[tuple[str, str], list[float]], counts: dict[tuple[str, str], int], threads: int
) -> list[dict[str, object]]:
    """A row for each contender and cut."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=TABLE.parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    common = {
        "date": datetime.date.today().isoformat(),
        "commit": commit,
        "torch": torch.__version__,
        "machine": f"{os.cpu_count()} cores {platform.machine()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "threads": threads,
    }
    medians = {key: statistics.median(values) for key, values in times.items()}
    return [
        {
            **common,
            "contender": name,
            "cut": cut,
            "events": counts[name, cut],
            "ms": f"{medians[name, cut]:.2f}",
            "ms_20": f"{np.quantile(values, 0.2):.2f}",
            "ms_80": f"{np.quantile(values, 0.8):.2f}",
            "times_spikingjelly": f"{medians['spikingjelly', cut] / medians[name, cut]:.1f}"
            if ("spikingjelly", cut) in medians
            else "",
        }
        for (name, cut), values in times.items()
    ]


if __name__ == "__main__":
    main()
