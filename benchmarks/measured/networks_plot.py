"""Draws a table of whole networks: how many times faster than the best peer each framework is."""

import csv
import zlib
from pathlib import Path

__all__ = ["bars", "plot"]

PASSES = ("training", "inference")
OURS = "spikeframe"
WHERE = ("machine", "device", "threads")

Bars = dict[tuple[str, str], dict[str, float]]


def bars(table: Path) -> Bars:
    """By workload and pass: the best of each framework, however it lays out its input.

    A static input that is expanded, of which layers may know, is told apart for this package.
    Rows are those of the newest row's machine, device and threads.
    """
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    last = max(rows, key=lambda row: row["date"])
    rows = [row for row in rows if all(row[name] == last[name] for name in WHERE)]
    found: Bars = {}
    for row in rows:
        if row["times_best_peer"]:
            group = found.setdefault((row["workload"], row["pass"]), {})
            name, times = _name(row), float(row["times_best_peer"])
            group[name] = max(times, group.get(name, 0.0))
    return found


def plot(table: Path, picture: Path) -> None:
    """A panel for each pass; the picture remembers the table it was drawn from."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = bars(table)
    names = sorted({name for group in found.values() for name in group}, key=_place)
    figure, panels = pyplot.subplots(len(PASSES), 1, figsize=(9, 6), layout="constrained")
    width = 0.84 / len(names)
    for panel, kind in zip(panels, PASSES, strict=True):
        workloads = [workload for workload, of in found if of == kind]
        for i, name in enumerate(names):
            places = [k for k, workload in enumerate(workloads) if name in found[workload, kind]]
            times = [found[workloads[k], kind][name] for k in places]
            drawn = panel.bar([k + i * width for k in places], times, width, label=name)
            if name.startswith(OURS):
                panel.bar_label(drawn, fmt="%.1f", fontsize=7)
        panel.axhline(1.0, color="black", linewidth=0.5)
        panel.set_yscale("log", base=2)
        panel.set_ylim(0.4, 1.2 * max(max(of.values()) for of in found.values()))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.set_ylabel(f"{kind}: times the best peer")
        panel.set_xticks([k + 0.42 for k in range(len(workloads))], workloads, fontsize=8)
    handles = {t: h for p in panels for h, t in zip(*p.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3)
    checksum = zlib.crc32(table.read_bytes())
    figure.savefig(picture, dpi=110, metadata={"Source": f"{table.name} {checksum:08x}"})


def _name(row: dict[str, str]) -> str:
    framework = row["contender"].partition(",")[0]
    knows = framework == OURS and row["input"] == "expanded"
    return f"{framework}, static input expanded" if knows else framework


def _place(name: str) -> tuple[bool, bool, str]:
    """Ours first, the rest by name."""
    return not name.startswith(OURS), "," not in name, name
