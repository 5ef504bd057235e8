"""snnTorch's plots hand on what they are given, by its names and defaults."""

import pytest
import torch

from spikeframe.compat.snntorch import spikeplot

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

SPIKES = torch.tensor([[1.0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 1]])
LABELS = ["x", "y", "z"]


@pytest.fixture
def pyplot():
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def frames_of(animation):
    animation._draw_was_started = True  # it is not shown, and would warn
    return list(animation.new_frame_seq())


def test_a_raster_takes_the_style_of_its_points(pyplot):
    _, ax = pyplot.subplots()
    points = spikeplot.raster(SPIKES[:, 2], ax, s=7.0, c="black")
    assert points.get_offsets()[:, 0].tolist() == [0, 1, 3]
    assert points.get_sizes().tolist() == [7.0]


@pytest.mark.parametrize(("given", "count"), [({}, 5), ({"num_steps": 3}, 3)])
def test_images_as_an_animation(pyplot, given, count):
    fig, ax = pyplot.subplots()
    anim = spikeplot.animator(torch.rand(5, 3, 4), fig, ax, **given)
    assert len(frames_of(anim)) == count
    assert anim.event_source.interval == 40
    assert ax.images[0].get_cmap().name == "plasma"


def test_an_animation_takes_its_pace_and_colours(pyplot):
    fig, ax = pyplot.subplots()
    anim = spikeplot.animator(torch.rand(5, 3, 4), fig, ax, interval=7, cmap="gray")
    frames_of(anim)
    assert anim.event_source.interval == 7
    assert ax.images[0].get_cmap().name == "gray"


def test_counts_at_the_end(pyplot):
    fig, ax = pyplot.subplots()
    assert spikeplot.spike_count(SPIKES, fig, ax, LABELS, time_step=0.1) is None
    assert ax.get_lines()[-1].get_xdata().tolist() == [2, 0, 3]
    assert ax.get_xlabel() == "Time [s]"
    shaded = len(ax.patches) + len(ax.collections)
    ax.clear()
    spikeplot.spike_count(SPIKES, fig, ax, LABELS, num_steps=2, gridshader=False)
    assert ax.get_lines()[-1].get_xdata().tolist() == [1, 0, 2]
    assert ax.get_xlabel() == "Time Step"
    assert len(ax.patches) + len(ax.collections) < shaded


@pytest.mark.parametrize(("given", "count"), [({}, 4), ({"interpolate": 3, "num_steps": 2}, 6)])
def test_counts_as_they_grow(pyplot, given, count):
    fig, ax = pyplot.subplots()
    anim = spikeplot.spike_count(
        SPIKES, fig, ax, LABELS, animate=True, interval=9, time_step=0.1, **given
    )
    assert len(frames_of(anim)) == count
    assert anim.event_source.interval == 9
    assert ax.get_xlabel() == "Time [s]"


def test_traces_are_on_the_current_figure(pyplot):
    pyplot.figure()
    current = pyplot.figure()
    values = torch.arange(8.0).reshape(4, 2)
    assert spikeplot.traces(values, SPIKES[:, :2], (1, 2), 10, ["a", "b"]) is None
    cells = current.axes
    assert [cell.get_title() for cell in cells] == ["a", "b"]
    assert cells[0].get_lines()[0].get_ydata().tolist() == [10, 2, 14, 6]
    assert pyplot.get_fignums() == [1, 2]
    assert not pyplot.figure(1).axes
    spikeplot.traces(torch.rand(4, 9))
    assert len(pyplot.gcf().axes) == 9
