import pytest
import torch

from spikeframe import plot
from spikeframe.base import memories
from spikeframe.cli.fit import Fit
from spikeframe.cli.folder import RunFolder
from spikeframe.cli.learner import SPIKING
from spikeframe.cli.options import complete
from spikeframe.cli.report import write_report
from spikeframe.data import ImageSet, Split


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


@pytest.fixture
def split():
    data = ImageSet(torch.rand(30, 1, 8, 8), torch.arange(30) % 2, ("a", "b"))
    return Split(data.take(slice(20)), data.take(slice(20, None)))


@pytest.fixture
def fit(split, folder):
    fit = Fit(SPIKING, split, complete({"epochs": 1, "steps": 3, "batch_size": 8}))
    fit.run(folder)
    return fit


def norms(fit):
    return [m for name, m in fit.learner.net.named_modules() if name.endswith("norm")]


def test_report_calls_out_dead_and_saturated_neurons(folder, split, fit, capsys):
    with torch.no_grad():
        for norm, bias in zip(norms(fit), (-1e6, 1e6, 0.0), strict=True):
            norm.bias.fill_(bias)
        norms(fit)[2].weight.zero_()
        norms(fit)[2].bias[:64] = 1e6
        norms(fit)[2].bias[64:] = -1e6
    write_report(folder, split, fit, None)
    first, second, third = (
        line for line in capsys.readouterr().out.splitlines() if "stages." in line
    )
    assert first.endswith("512 neurons    0.00% of steps   512 dead (100%)")
    assert second.endswith("256 neurons  100.00% of steps   256 saturated (100%)")
    assert third.endswith("50.00% of steps   256 dead (50%)   256 saturated (50%)")


def test_report_leaves_the_network_reset(folder, split, fit):
    write_report(folder, split, fit, None)
    assert set(memories(fit.learner.net)) == {0.0}


def test_figure_shows_the_first_test_image(folder, split, fit, monkeypatch):
    shown = {}
    original = plot.training_figure

    def training_figure(**panels):
        shown.update(panels)
        return original(**panels)

    monkeypatch.setattr(plot, "training_figure", training_figure)
    write_report(folder, split, fit, None)
    assert torch.equal(shown["image"], split.test.images[0])
    assert shown["label"] == int(split.test.labels[0])
    shapes = [list(spikes.shape) for spikes in shown["spikes"].values()]
    assert shapes == [[3, 32, 4, 4], [3, 64, 2, 2], [3, 128, 2, 2]]
    assert shown["potentials"].shape == (3, 2)
    assert folder.figure.stat().st_size > 10_000
