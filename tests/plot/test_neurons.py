"""Rasters, traces, counts and animations show what they are given."""

import pytest
import torch

from spikeframe import plot

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture
def figure():
    from matplotlib.figure import Figure

    return Figure()


SPIKES = torch.tensor([[1.0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 1]])


def test_a_point_for_each_spike(figure):
    points = plot.spike_scatter(figure.subplots(), SPIKES, s=2).get_offsets()
    assert sorted(map(tuple, points.tolist())) == [(0, 0), (0, 2), (1, 2), (2, 0), (3, 2)]
    one = plot.spike_scatter(figure.subplots(), SPIKES[:, 2]).get_offsets()
    assert one[:, 0].tolist() == [0, 1, 3]
    with pytest.raises(ValueError, match=r"\[T\] or \[T, neurons\], got \[1, 4, 3\]"):
        plot.spike_scatter(figure.subplots(), SPIKES[None])


def test_traces_with_spikes_on_them_and_empty_cells(figure):
    values = torch.arange(12.0).reshape(4, 3)
    cells = plot.trace_grid(figure, values, SPIKES, (2, 2), 10.0, titles=["a", "b"])
    assert len(cells) == 3
    assert cells[0].get_lines()[0].get_ydata().tolist() == [10, 3, 16, 9]
    assert [c.get_title() for c in cells] == ["a", "b", ""]


def test_bars_as_long_as_the_counts(figure):
    axes = figure.subplots()
    _, dots = plot.count_panel(axes, SPIKES, ["x", "y", "z"], time_step=0.1)
    assert dots.get_xdata().tolist() == [2, 0, 3]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["x", "y", "z"]
    assert axes.get_xlabel() == "Time [s]"
    _, dots = plot.count_panel(axes, SPIKES, ["x", "y", "z"], 2, shaded=False)
    assert dots.get_xdata().tolist() == [1, 0, 2]
    with pytest.raises(ValueError, match="and 2 labels"):
        plot.count_panel(axes, SPIKES, ["x", "y"])


def frames_of(animation):
    animation._draw_was_started = True  # it is not shown, and would warn
    return list(animation.new_frame_seq())


def test_animations_have_a_frame_for_each_step(figure):
    images = torch.rand(5, 3, 3)
    assert len(frames_of(plot.animation(figure, figure.subplots(), images))) == 5
    assert len(frames_of(plot.animation(figure, figure.subplots(), images, 3))) == 3
    labels = ["x", "y", "z"]
    counted = plot.count_animation(figure, figure.subplots(), SPIKES, labels, frames_per_step=2)
    frames = frames_of(counted)
    assert len(frames) == 8
    assert frames[-1][1].get_xdata().tolist() == [2, 0, 2]
    assert frames[-1][2].get_xdata()[0] == 3.5
