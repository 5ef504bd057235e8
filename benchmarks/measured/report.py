"""What all tables of measurements share: who measured where, and how rows are kept and shown."""

import csv
import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch

__all__ = ["COMMON", "append", "common", "show"]

COMMON = ("date", "commit", "torch", "machine", "device", "load", "threads", "malloc")

Row = dict[str, object]


def common(device: torch.device, threads: int) -> Row:
    """What the rows of one run share."""
    cuda = device.type == "cuda"
    return {
        "date": datetime.date.today().isoformat(),
        "commit": _commit(),
        "torch": torch.__version__,
        "machine": _machine(),
        "device": torch.cuda.get_device_name(device) if cuda else "",
        "load": f"{os.getloadavg()[0]:.1f}",
        "threads": threads,
        "malloc": "keeps" if "MALLOC_TRIM_THRESHOLD_" in os.environ else "default",
    }


def show(title: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print some columns."""
    print(f"\n{title}")
    lines = [tuple(columns), *(tuple(str(row[column]) for column in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def append(rows: Sequence[Row], table: Path, columns: Sequence[str]) -> None:
    """Add rows to a table.

    Raises:
        ValueError: The table has other columns.
    """
    if table.exists():
        with open(table, newline="") as file:
            found = next(csv.reader(file), [])
        if found != list(columns):
            raise ValueError(f"{table} has the columns {found}: choose another with --out")
    new = not table.exists()
    with open(table, "a", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def _commit() -> str:
    """The commit that is measured, with a + where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+"]
    folder = Path(__file__).resolve().parent
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.stdout.strip()


def _machine() -> str:
    """The processor, as the system calls it, and the number of cores."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores {named[0] if named else platform.machine()}"
