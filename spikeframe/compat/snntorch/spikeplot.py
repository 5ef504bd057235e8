"""snnTorch's plots; matplotlib is imported on use, pandas not at all."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ... import plot

__all__ = ["animator", "raster", "spike_count", "traces"]


def animator(
    data: Tensor,
    fig: Any,
    ax: Any,
    num_steps: int | bool = False,
    interval: float = 40,
    cmap: str = "plasma",
) -> Any:
    """Images over time, [num_steps, H, W], as an animation."""
    return plot.animation(fig, ax, data, num_steps or None, interval, cmap)


def raster(data: Tensor, ax: Any, **kwargs: Any) -> Any:
    """A point for each spike of [num_steps, neurons]."""
    return plot.spike_scatter(ax, data, **kwargs)


def spike_count(
    data: Tensor,
    fig: Any,
    ax: Any,
    labels: Sequence[str],
    num_steps: int | bool = False,
    animate: bool = False,
    interpolate: int = 1,
    gridshader: bool = True,
    interval: float = 25,
    time_step: float | bool = False,
) -> Any:
    """The number of spikes of each output neuron, at the end or as it grows."""
    steps, seconds = num_steps or None, time_step or None
    if not animate:
        plot.count_panel(ax, data, labels, steps, shaded=gridshader, time_step=seconds)
        return None
    return plot.count_animation(
        fig,
        ax,
        data,
        labels,
        steps,
        frames_per_step=interpolate,
        shaded=gridshader,
        interval=interval,
        time_step=seconds,
    )


def traces(
    data: Tensor,
    spk: Tensor | None = None,
    dim: tuple[int, int] = (3, 3),
    spk_height: float = 5,
    titles: Sequence[str] | None = None,
) -> None:
    """The course of neurons' states, [num_steps, neurons], in a grid on the current figure."""
    from matplotlib import pyplot

    plot.trace_grid(pyplot.gcf(), data, spk, dim, spk_height, titles)
