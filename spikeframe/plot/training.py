"""Draws a training run: its curves, an input, the spikes it causes, the membrane read out.

Each panel is a function that draws on a matplotlib ``Axes``; :func:`training_figure` puts them
on one page. matplotlib is imported when a figure is made.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "accuracy_panel",
    "image_panel",
    "loss_panel",
    "membrane_panel",
    "neuron_figure",
    "raster_panel",
    "to_png",
    "training_figure",
]

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#999999"
# Rows of a raster per layer: more would be thinner than a line.
SHOWN_NEURONS = 48
GAP = 6  # white rows between two layers
FEW_STEPS = 20  # up to which points of a line are marked

Rows = Sequence[Mapping[str, float]]
"""Metrics by name, one mapping per epoch: epoch, train_loss, train_accuracy, ..."""


def training_figure(
    curves: Mapping[str, Rows],
    image: Tensor,
    spikes: Mapping[str, Tensor],
    potentials: Tensor,
    classes: Sequence[str],
    label: int,
) -> Any:
    r"""One page about a run: loss, accuracy, an input, its spike raster, the output's membrane.

    Arguments:
        curves: The metrics of each network's epochs by its name, the spiking one first.
        image: The input shown, intensities 0 to 1, [C, H, W].
        spikes: The spikes that it causes, by layer, [T, \*] each.
        potentials: The membrane potential of the output layer, [T, classes].
        classes: Name of each class.
        label: The true class.

    Returns:
        A matplotlib ``Figure``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    halves: Any = figure.subfigures(2, 1, hspace=0.04)
    above, below = halves
    loss, accuracy = above.subplots(1, 2)
    left, raster, right = below.subplots(1, 3, width_ratios=(3, 4, 4))
    loss_panel(loss, curves)
    accuracy_panel(accuracy, curves)
    image_panel(left, image, f"an input: {classes[label]!r}")
    raster_panel(raster, spikes)
    membrane_panel(right, potentials, classes, label)
    return figure


def loss_panel(axes: Any, curves: Mapping[str, Rows]) -> None:
    """Training and test loss over the epochs."""
    for colour, (name, rows) in zip(COLOURS, curves.items(), strict=False):
        _curve(axes, rows, "loss", colour, name)
    axes.set(title="loss (dotted: training)", xlabel="epoch")
    _integer_ticks(axes)
    axes.legend(frameon=False, loc="upper right")


def accuracy_panel(axes: Any, curves: Mapping[str, Rows]) -> None:
    """Training and test accuracy over the epochs, the last test accuracy written out."""
    for colour, (name, rows) in zip(COLOURS, curves.items(), strict=False):
        _curve(axes, rows, "accuracy", colour, f"{name}: {rows[-1]['test_accuracy']:.2%}")
    axes.set(title="accuracy (dotted: training)", xlabel="epoch")
    axes.yaxis.set_major_formatter("{x:.0%}")
    _integer_ticks(axes)
    axes.legend(frameon=False, loc="lower right")


def image_panel(axes: Any, image: Tensor, title: str) -> None:
    """An image [C, H, W] of one or three channels."""
    pixels = image.detach().cpu().movedim(0, -1)
    axes.imshow(pixels.numpy(), cmap="gray", vmin=0, vmax=1)
    axes.set(title=title, xticks=[], yticks=[])


def raster_panel(axes: Any, spikes: Mapping[str, Tensor]) -> None:
    r"""A filled cell where a neuron fires at a step; a band of neurons per layer, [T, \*]."""
    from matplotlib.colors import ListedColormap

    bands = [_thinned(layer) for layer in spikes.values()]
    steps = len(bands[0])
    gap = torch.zeros(steps, GAP)
    # The number of its band, counted from 1, where a neuron fires.
    cells = torch.cat([part * (i + 1) for i, band in enumerate(bands) for part in (band, gap)], 1)
    cells = cells[:, :-GAP]
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(bands))]
    axes.imshow(
        cells.T.numpy(),
        cmap=ListedColormap(["white", *colours]),
        vmin=0,
        vmax=len(bands),
        aspect="auto",
        interpolation="nearest",
        extent=(0.5, steps + 0.5, cells.shape[1], 0),
    )
    if steps <= FEW_STEPS:
        axes.vlines([t + 0.5 for t in range(1, steps)], 0, len(cells.T), color="white", lw=3)
    axes.set(title="its spikes, neuron by neuron", xlabel="step")
    _integer_ticks(axes)
    _label_bands(axes, spikes, bands)


def membrane_panel(axes: Any, potentials: Tensor, classes: Sequence[str], label: int) -> None:
    """The potential of each output neuron over the steps, the true class in colour.

    Where another class has the largest mean potential, the answer given, it is coloured too.
    """
    values = potentials.detach().cpu().float()
    steps = list(range(1, len(values) + 1))
    answer = int(values.mean(0).argmax())
    for index, name in enumerate(classes):
        colour = {label: COLOURS[0]}.get(index, COLOURS[1] if index == answer else GREY)
        told = index in (label, answer)
        axes.plot(
            steps,
            values[:, index].tolist(),
            color=colour,
            marker="." if len(steps) <= FEW_STEPS else "",
            linewidth=2 if told else 1,
            zorder=3 if told else 2,
            label=name if told else "_nolegend_",
        )
    axes.plot([], [], color=GREY, linewidth=1, label="other classes")
    axes.set(title="membrane potential of the output", xlabel="step")
    _integer_ticks(axes)
    axes.legend(frameon=False)


def neuron_figure(x_seq: Tensor, states: Mapping[str, Tensor], output: Tensor) -> Any:
    """One neuron over time: its input, its states, its spikes.

    Arguments:
        x_seq: The input, [T].
        states: Its states by name, such as ``node.state_seqs`` of one neuron, [T] each.
        output: Its spikes, or what else it gives, [T].

    Returns:
        A matplotlib ``Figure``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(2, 3, 1))
    steps = list(range(1, len(x_seq) + 1))
    above.step(steps, x_seq.detach().cpu().tolist(), where="mid", color=GREY)
    above.set_ylabel("input")
    for colour, (name, values) in zip(COLOURS, states.items(), strict=False):
        middle.plot(steps, values.detach().cpu().tolist(), color=colour, label=name)
    middle.set_ylabel("states")
    if states:
        middle.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    values = output.detach().cpu().float()
    if bool((values == values.round()).all()):
        below.vlines(steps, 0, values.tolist(), color="black")
    else:
        below.step(steps, values.tolist(), where="mid", color="black")
    below.set(ylabel="output", xlabel="step")
    _integer_ticks(below)
    return figure


def to_png(figure: Any) -> bytes:
    """The figure as a PNG file's content."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _curve(axes: Any, rows: Rows, metric: str, colour: str, name: str) -> None:
    epochs = [row["epoch"] for row in rows]
    marker = "." if len(rows) <= FEW_STEPS else ""
    train, test = ([row[f"{part}_{metric}"] for row in rows] for part in ("train", "test"))
    axes.plot(epochs, train, ":", color=colour, marker=marker)
    axes.plot(epochs, test, color=colour, marker=marker, label=name)


def _integer_ticks(axes: Any) -> None:
    axes.xaxis.get_major_locator().set_params(integer=True)


def _label_bands(axes: Any, spikes: Mapping[str, Tensor], bands: Sequence[Tensor]) -> None:
    """Each layer's name at the middle of its band, with how many of its neurons are shown."""
    ticks, labels, top = [], [], 0
    for (name, layer), band in zip(spikes.items(), bands, strict=True):
        shown, all_neurons = band.shape[1], layer[0].numel()
        ticks.append(top + shown / 2)
        count = f"{all_neurons}" if shown == all_neurons else f"{shown} of {all_neurons}"
        labels.append(f"{name}\n{count}")
        top += shown + GAP
    axes.set_yticks(ticks, labels, rotation=90, va="center", ma="center", size="small")
    axes.tick_params(axis="y", length=0)


def _thinned(spikes: Tensor) -> Tensor:
    """At most :data:`SHOWN_NEURONS` of the neurons, evenly spaced, [T, shown]."""
    flat = (spikes.detach().cpu().flatten(1) != 0).float()
    if flat.shape[1] <= SHOWN_NEURONS:
        return flat
    shown = torch.linspace(0, flat.shape[1] - 1, SHOWN_NEURONS).long()
    return flat[:, shown]
