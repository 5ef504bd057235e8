"""Draws training runs, and the spikes and states of neurons, with matplotlib, loaded on use."""

from .neurons import animation, count_animation, count_panel, spike_scatter, trace_grid
from .training import (
    SHOWN_NEURONS,
    accuracy_panel,
    image_panel,
    loss_panel,
    membrane_panel,
    neuron_figure,
    raster_panel,
    to_png,
    training_figure,
)

__all__ = [
    "SHOWN_NEURONS",
    "accuracy_panel",
    "animation",
    "count_animation",
    "count_panel",
    "image_panel",
    "loss_panel",
    "membrane_panel",
    "neuron_figure",
    "raster_panel",
    "spike_scatter",
    "to_png",
    "trace_grid",
    "training_figure",
]
