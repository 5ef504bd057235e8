"""Draws spikes and potentials of neurons: rasters, traces, counts, animations of them.

Each draws on a matplotlib ``Axes`` or figure that it is given; matplotlib is imported on use.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

__all__ = ["animation", "count_animation", "count_panel", "spike_scatter", "trace_grid"]

BLUE, GREY, ORANGE = "#007ACC", "lightgrey", "tab:orange"


def spike_scatter(axes: Any, spikes: Tensor, **style: Any) -> Any:
    """A point for each spike: time to the right, neurons upwards.

    Arguments:
        axes: A matplotlib ``Axes``.
        spikes: Spikes of one neuron, [T], or of several, [T, M].
        style: As ``Axes.scatter`` takes it: s=, c=, marker=.
    Returns:
        What ``Axes.scatter`` returns.
    Raises:
        ValueError: There are other dimensions.
    """
    if spikes.dim() not in (1, 2):
        raise ValueError(
            f"spikes must be [T] or [T, neurons], got {list(spikes.shape)}: take one sample and "
            "flatten its neurons, for example spikes[:, 0].flatten(1)"
        )
    flat = spikes if spikes.dim() == 2 else spikes.unsqueeze(1)
    return axes.scatter(*flat.detach().cpu().nonzero(as_tuple=True), **style)


def trace_grid(
    figure: Any,
    values: Tensor,
    spikes: Tensor | None = None,
    dim: tuple[int, int] = (3, 3),
    spike_height: float = 5.0,
    titles: Sequence[str] | None = None,
) -> list[Any]:
    """The course of several neurons' states, each in a cell of a grid of one scale.

    Arguments:
        figure: A matplotlib ``Figure``.
        values: The states, [T, M].
        spikes: Spikes to ride on them, [T, M].
        dim: Rows and columns; cells beyond the last neuron stay empty.
        spike_height: How high a spike stands on its trace.
        titles: A title for each cell.
    Returns:
        The axes.
    """
    if spikes is not None:
        values = values + spike_height * spikes
    courses = values.detach().cpu().numpy()
    shown = min(dim[0] * dim[1], courses.shape[1])
    cells: list[Any] = []
    for i in range(shown):
        axes = figure.add_subplot(*dim, i + 1, sharey=cells[0] if cells else None)
        axes.plot(courses[:, i])
        axes.axis("off")
        if titles is not None and i < len(titles):
            axes.set_title(titles[i])
        cells.append(axes)
    return cells


def animation(
    figure: Any,
    axes: Any,
    frames: Tensor,
    steps: int | None = None,
    interval: float = 40.0,
    cmap: str = "plasma",
) -> Any:
    """Images over time, [T, H, W], as a matplotlib animation.

    Arguments:
        figure: A matplotlib ``Figure``.
        axes: Its axes.
        frames: The images.
        steps: How many of them; all by default.
        interval: Milliseconds from one to the next.
        cmap: The colours.
    Returns:
        A matplotlib ``ArtistAnimation``; keep it as long as it is to run.
    """
    from matplotlib.animation import ArtistAnimation

    images = frames.detach().cpu()
    low, high = images.min().item(), images.max().item()
    axes.axis("off")
    shown = [
        [axes.imshow(image.numpy(), cmap=cmap, vmin=low, vmax=high, animated=True)]
        for image in images[: steps or None]
    ]
    return ArtistAnimation(figure, shown, interval=interval)


def count_panel(
    axes: Any,
    spikes: Tensor,
    labels: Sequence[str],
    steps: int | None = None,
    *,
    shaded: bool = True,
    time_step: float | None = None,
) -> list[Any]:
    """A bar for each output neuron, as long as the number of its spikes.

    Arguments:
        axes: A matplotlib ``Axes``.
        spikes: The spikes of one sample, [T, C].
        labels: The name of each neuron.
        steps: Count the spikes of this many steps only; all by default.
        shaded: Shade every other interval of the scale.
        time_step: Length of a step in seconds, for a scale in seconds.
    Returns:
        What was drawn.
    """
    _prepare(axes, spikes, labels, shaded, time_step)
    return _bars(axes, spikes[: len(spikes) if steps is None else steps])


def count_animation(
    figure: Any,
    axes: Any,
    spikes: Tensor,
    labels: Sequence[str],
    steps: int | None = None,
    *,
    frames_per_step: int = 1,
    shaded: bool = True,
    interval: float = 25.0,
    time_step: float | None = None,
) -> Any:
    """:func:`count_panel` as the counts grow, with a line at the time.

    Arguments:
        figure: A matplotlib ``Figure``.
        axes: Its axes.
        spikes: The spikes of one sample, [T, C].
        labels: The name of each neuron.
        steps: How many steps; all by default.
        frames_per_step: More frames for a line that moves evenly.
        shaded: Shade every other interval of the scale.
        interval: Milliseconds from one frame to the next.
        time_step: Length of a step in seconds, for a scale in seconds.
    Returns:
        A matplotlib ``ArtistAnimation``; keep it as long as it is to run.
    """
    from matplotlib.animation import ArtistAnimation

    _prepare(axes, spikes, labels, shaded, time_step)
    times = [i / frames_per_step for i in range((steps or len(spikes)) * frames_per_step)]
    frames = [
        [*_bars(axes, spikes[: int(time)]), axes.axvline(time, color=ORANGE, linewidth=3)]
        for time in times
    ]
    return ArtistAnimation(figure, frames, interval=interval)


def _prepare(
    axes: Any, spikes: Tensor, labels: Sequence[str], shaded: bool, time_step: float | None
) -> None:
    if spikes.dim() != 2 or len(labels) != spikes.shape[1]:
        raise ValueError(
            f"spikes must be those of one sample, [T, neurons], with a label for each neuron, got "
            f"{list(spikes.shape)} and {len(labels)} labels"
        )
    axes.set_xlim(0, len(spikes))
    axes.set_yticks(range(1, len(labels) + 1), labels)
    axes.set(xlabel="Time [s]" if time_step else "Time Step", ylabel="Labels")
    axes.spines[["top", "right"]].set_visible(False)
    if time_step:
        seconds = time_step
        axes.xaxis.set_major_formatter(lambda x, _: f"{x * seconds:g}")
    if shaded:
        ticks = [t for t in axes.get_xticks() if 0 < t < len(spikes)]
        ends = [0, *ticks, len(spikes)]
        for start, end in zip(ends[1::2], ends[2::2], strict=False):
            axes.axvspan(start, end, zorder=0, facecolor=GREY, alpha=0.7)


def _bars(axes: Any, spikes: Tensor) -> list[Any]:
    counts = np.asarray(spikes.detach().sum(0).cpu())
    rows = range(1, len(counts) + 1)
    bars = axes.hlines(rows, 0, counts, color=BLUE, alpha=0.5, linewidth=8)
    return [bars, *axes.plot(counts, rows, "o", markersize=8, color=BLUE, alpha=0.6)]
