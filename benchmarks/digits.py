"""How well and how fast does ``spikeframe train`` learn to read digits, by default options?

Runs the command for three seeds and both test splits, with one thread and, for one seed, with
two, and writes a row for each network to digits.csv; with ``--data event-digits`` to
event_digits.csv. Accuracies are those of the last epoch; where there is a validation set, that
of the epoch it chooses is there too.
"""

import argparse
import csv
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

TABLES = {
    "digits": Path(__file__).with_suffix(".csv"),
    "event-digits": Path(__file__).with_name("event_digits.csv"),
}
SEEDS = (0, 1, 2)
SPLITS = ("random", "writers")
COLUMNS = (
    *("date", "torch", "machine", "load", "split", "seed", "threads"),
    *("network", "epochs", "test_accuracy", "training_seconds", "command_seconds"),
)
VALIDATED = "validated_test_accuracy"


def measure(data: str, split: str, seed: int, threads: int) -> list[dict[str, object]]:
    """Run the command once; a row for the spiking network and one for its twin."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "--data",
            data,
            "--split",
            split,
            "--seed",
            seed,
            "--threads",
            threads,
            "--out-dir",
            folder,
        ]
        command = [sys.executable, "-m", "spikeframe", "train", *map(str, words)]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        common = {
            "date": datetime.date.today().isoformat(),
            "torch": torch.__version__,
            "machine": f"{os.cpu_count()} cores {platform.machine()}",
            "load": f"{load:.1f}",
            "split": split,
            "seed": seed,
            "threads": threads,
            "command_seconds": f"{time.perf_counter() - start:.1f}",
        }
        places = {"LIFNode": Path(folder), "ReLU": Path(folder) / "relu"}
        return [{**common, "network": name, **result(place)} for name, place in places.items()]


def result(place: Path) -> dict[str, object]:
    """What the metrics of one training come to."""
    with open(place / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, object] = {
        "epochs": len(rows),
        "test_accuracy": rows[-1]["test_accuracy"],
        "training_seconds": f"{sum(float(row['seconds']) for row in rows):.1f}",
    }
    if "valid_accuracy" in rows[0]:
        best = max(rows, key=lambda row: (float(row["valid_accuracy"]), -float(row["valid_loss"])))
        found[VALIDATED] = best["test_accuracy"]
    return found


def main() -> None:
    """Measure, write the table, print the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=TABLES, default="digits", help="what to learn")
    parser.add_argument("--out", type=Path, help="the table to write")
    options = parser.parse_args()
    runs = [(split, seed, 1) for split in SPLITS for seed in SEEDS] + [(SPLITS[0], SEEDS[0], 2)]
    rows = [row for run in runs for row in measure(options.data, *run)]
    columns = COLUMNS + ((VALIDATED,) if VALIDATED in rows[0] else ())
    with open(options.out or TABLES[options.data], "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for split in SPLITS:
        for network in ("LIFNode", "ReLU"):
            chosen = [
                row
                for row in rows
                if (row["split"], row["network"]) == (split, network) and row["threads"] == 1
            ]
            mean = statistics.mean(float(str(row["test_accuracy"])) for row in chosen)
            print(f"{split:<8} {network:<8} {mean:.4f}")


if __name__ == "__main__":
    main()
