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
    "raster_panel",
    "to_png",
    "training_figure",
]

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#999999"
# Rows of a raster per layer: more would be thinner than a line.
SHOWN_NEURONS = 48

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

    figure = Figure(figsize=(11, 7), layout="constrained")
    rows = [["loss", "accuracy"], ["image", "raster"], ["image", "membrane"]]
    axes: Any = figure.subplot_mosaic(
        [["loss", "loss", "accuracy", "accuracy"], ["image", "raster", "raster", "membrane"]]
    )
    del rows
    loss_panel(axes["loss"], curves)
    accuracy_panel(axes["accuracy"], curves)
    image_panel(axes["image"], image, f"input: {classes[label]!r}")
    raster_panel(axes["raster"], spikes)
    membrane_panel(axes["membrane"], potentials, classes, label)
    return figure


def loss_panel(axes: Any, curves: Mapping[str, Rows]) -> None:
    """Training and test loss over the epochs."""
    for colour, (name, rows) in zip(COLOURS, curves.items(), strict=False):
        epochs = [row["epoch"] for row in rows]
        axes.plot(epochs, [row["train_loss"] for row in rows], ":", color=colour)
        axes.plot(epochs, [row["test_loss"] for row in rows], color=colour, label=name)
    axes.set(title="loss (dotted: training)", xlabel="epoch")
    axes.legend(frameon=False)


def accuracy_panel(axes: Any, curves: Mapping[str, Rows]) -> None:
    """Training and test accuracy over the epochs, the last test accuracy written out."""
    for colour, (name, rows) in zip(COLOURS, curves.items(), strict=False):
        epochs = [row["epoch"] for row in rows]
        last = rows[-1]["test_accuracy"]
        axes.plot(epochs, [100 * row["train_accuracy"] for row in rows], ":", color=colour)
        tested = [100 * row["test_accuracy"] for row in rows]
        axes.plot(epochs, tested, color=colour, label=f"{name}: {last:.2%}")
    axes.set(title="accuracy in % (dotted: training)", xlabel="epoch")
    axes.legend(frameon=False, loc="lower right")


def image_panel(axes: Any, image: Tensor, title: str) -> None:
    """An image [C, H, W] of one or three channels."""
    pixels = image.detach().cpu().movedim(0, -1)
    axes.imshow(pixels.numpy(), cmap="gray", vmin=0, vmax=1)
    axes.set(title=title, xticks=[], yticks=[])


def raster_panel(axes: Any, spikes: Mapping[str, Tensor]) -> None:
    r"""A mark where a neuron fires at a step; a band of neurons for each layer, [T, \*]."""
    bands = [_thinned(layer) for layer in spikes.values()]
    bottom, ticks = 0, []
    for number, band in enumerate(bands):
        steps, neurons = band.nonzero(as_tuple=True)
        colour = COLOURS[number % len(COLOURS)]
        axes.vlines(steps + 1, neurons + bottom - 0.4, neurons + bottom + 0.4, color=colour)
        ticks.append(bottom + band.shape[1] / 2)
        bottom += band.shape[1] + 4
    axes.set(title="spikes", xlabel="step", yticks=ticks, yticklabels=list(spikes))


def membrane_panel(axes: Any, potentials: Tensor, classes: Sequence[str], label: int) -> None:
    """The potential of each output neuron over the steps, the true class in colour."""
    values = potentials.detach().cpu().float()
    steps = range(1, len(values) + 1)
    for index, name in enumerate(classes):
        true = index == label
        axes.plot(
            steps,
            values[:, index].tolist(),
            color=COLOURS[0] if true else GREY,
            linewidth=2 if true else 1,
            zorder=2 + true,
        )
        del name
    axes.set(title="membrane potential of the output layer", xlabel="step")


def to_png(figure: Any) -> bytes:
    """The figure as a PNG file's content."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _thinned(spikes: Tensor) -> Tensor:
    """At most :data:`SHOWN_NEURONS` of the neurons, evenly spaced, [T, shown]."""
    flat = spikes.detach().cpu().flatten(1)
    if flat.shape[1] <= SHOWN_NEURONS:
        return flat
    shown = torch.linspace(0, flat.shape[1] - 1, SHOWN_NEURONS).long()
    return flat[:, shown]
