import subprocess
import sys

import pytest
import torch

from spikeframe import neuron, plot

matplotlib_figure = pytest.importorskip("matplotlib.figure")


@pytest.fixture
def axes():
    return matplotlib_figure.Figure().subplots()


def rows(count=3):
    names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    return [
        {"epoch": epoch, **{name: (epoch + i) / 10 for i, name in enumerate(names)}}
        for epoch in range(1, count + 1)
    ]


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_loss_panel_draws_both_losses(axes):
    plot.loss_panel(axes, {"a": rows()})
    train, test = axes.get_lines()
    assert list(train.get_xdata()) == [1, 2, 3]
    assert list(train.get_ydata()) == [row["train_loss"] for row in rows()]
    assert list(test.get_ydata()) == [row["test_loss"] for row in rows()]
    assert test.get_label() == "a"


def test_accuracy_panel_names_the_last_test_accuracy(axes):
    plot.accuracy_panel(axes, {"a": rows(), "b": rows(2)})
    assert list(lines(axes)["a: 60.00%"].get_ydata()) == [row["test_accuracy"] for row in rows()]
    assert "b: 50.00%" in lines(axes)


@pytest.mark.parametrize("shape", [(1, 4, 6), (3, 4, 6)])
def test_image_panel_draws_the_pixels(axes, shape):
    image = torch.rand(shape)
    plot.image_panel(axes, image, "title")
    (drawn,) = axes.get_images()
    pixels = torch.as_tensor(drawn.get_array().data)
    assert torch.equal(pixels.squeeze(-1), image.movedim(0, -1).squeeze(-1))
    assert (drawn.norm.vmin, drawn.norm.vmax) == (0, 1)


def test_raster_panel_fills_a_cell_for_every_spike(axes):
    first = (torch.rand(4, 2, 5) < 0.5).float()
    second = (torch.rand(4, 3) < 0.5).float()
    plot.raster_panel(axes, {"a": first, "b": second})
    (drawn,) = axes.get_images()
    cells = torch.as_tensor(drawn.get_array().data)  # rows are neurons, columns steps
    assert torch.equal(cells[:10], first.flatten(1).T)
    assert torch.equal(cells[-3:], 2 * second.T)
    assert cells[10:-3].abs().sum() == 0
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a\n10", "b\n3"]


def test_raster_panel_shows_some_of_many_neurons(axes):
    plot.raster_panel(axes, {"a": torch.ones(30, 1000)})
    (drawn,) = axes.get_images()
    assert drawn.get_array().shape == (plot.SHOWN_NEURONS, 30)
    assert axes.get_yticklabels()[0].get_text() == f"a\n{plot.SHOWN_NEURONS} of 1000"


def test_membrane_panel_colours_the_class_and_a_wrong_answer(axes):
    potentials = torch.tensor([[0.0, 1.0, 0.5], [0.0, 2.0, 0.5]], requires_grad=True)
    plot.membrane_panel(axes, potentials, ("a", "b", "c"), label=2)
    assert list(lines(axes)["b"].get_ydata()) == [1, 2]
    assert list(lines(axes)["c"].get_ydata()) == [0.5, 0.5]
    colours = [lines(axes)[name].get_color() for name in ("c", "b", "other classes")]
    assert len(set(colours)) == 3
    assert len(axes.get_legend().get_texts()) == 3


def test_training_figure_is_a_png_of_five_panels():
    figure = plot.training_figure(
        curves={"LIFNode": rows(), "ReLU": rows()},
        image=torch.rand(1, 8, 8),
        spikes={"layer 1": torch.ones(4, 2, 3, 3), "layer 2": torch.zeros(4, 5)},
        potentials=torch.randn(4, 10),
        classes=tuple("0123456789"),
        label=3,
    )
    assert len(figure.axes) == 5
    png = plot.to_png(figure)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) > 20_000


def test_import_needs_no_matplotlib():
    code = "import sys; import spikeframe.plot; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_neuron_is_shown_with_its_input_states_and_spikes():
    node = neuron.CUBALIFNode(step_mode="m", store_state_seqs=True)
    x_seq = torch.rand(30, generator=torch.Generator().manual_seed(0)) * 0.6
    spikes = node(x_seq)
    figure = plot.neuron_figure(x_seq, node.state_seqs, spikes)
    above, middle, below = figure.axes
    assert above.lines[0].get_ydata().tolist() == x_seq.tolist()
    assert [line.get_label() for line in middle.lines] == ["v", "c"]
    assert middle.lines[1].get_ydata().tolist() == node.state_seqs["c"].tolist()
    (drawn,) = below.collections
    assert [segment[1][1] for segment in drawn.get_segments()] == spikes.tolist()
    assert spikes.any()
    analog = plot.neuron_figure(x_seq, {}, x_seq)
    assert analog.axes[2].lines[0].get_ydata().tolist() == x_seq.tolist()
