"""Draws the latest rows of a table: what part of the copy bandwidth each contender reaches."""

import csv
from pathlib import Path

__all__ = ["plot"]

PASSES = ("inference", "forward", "training")


def plot(table: Path, picture: Path) -> None:
    """Bars by shape, a panel for each pass; of rows that tell the same, the last counts."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = _latest(table)
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    names = list(dict.fromkeys(_name(row) for row in rows))
    figure, panels = pyplot.subplots(len(PASSES), 1, figsize=(10, 9), sharex=True)
    width = 0.8 / max(1, len(names))
    for panel, kind in zip(panels, PASSES, strict=True):
        for i, name in enumerate(names):
            of = {r["shape"]: float(r["of_copy"]) for r in rows if _is(r, name, kind)}
            places = [k + i * width for k, shape in enumerate(shapes) if shape in of]
            panel.bar(places, [of[shape] for shape in shapes if shape in of], width, label=name)
        panel.set_yscale("log")
        panel.axhline(1.0, color="black", linewidth=0.5)
        panel.set_ylabel(f"{kind}: of copy")
    bars = panels[0].get_legend_handles_labels()
    figure.legend(*bars, loc="upper center", bbox_to_anchor=(0.5, 0.96), ncols=5)
    panels[-1].set_xticks([k + 0.4 for k in range(len(shapes))], shapes, rotation=30)
    figure.suptitle(f"LIF, {rows[0]['device'] or rows[0]['machine']}, one thread")
    figure.savefig(picture, bbox_inches="tight")


def _latest(table: Path) -> list[dict[str, str]]:
    """The last row of each contender, shape and pass, of the run that was last."""
    with open(table, newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["neuron"] == "LIF" and r["threads"] == "1"]
    rows = [r for r in rows if r["malloc"] == rows[-1]["malloc"]]
    rows = [r for r in rows if r["device"] == rows[-1]["device"]]
    latest = {(_name(row), row["shape"], row["pass"]): row for row in rows}
    return list(latest.values())


def _name(row: dict[str, str]) -> str:
    return f"{row['contender']} ({row['step_mode']})"


def _is(row: dict[str, str], name: str, kind: str) -> bool:
    return _name(row) == name and row["pass"] == kind and bool(row["of_copy"])
