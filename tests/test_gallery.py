"""The gallery shows every neuron, each of which does something there."""

import importlib.util
import inspect

import pytest
import torch
from house.sources import ROOT

from spikeframe import neuron

SPEC = importlib.util.spec_from_file_location("gallery", ROOT / "docs" / "gallery.py")
gallery = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gallery)

# What others are made of, or are shown as.
BASES = {
    "AdaptBaseNode",
    "BaseNode",
    "Feedback",
    "MPBNBaseNode",
    "Node",
    "NonSpikingBaseNode",
    "SimpleBaseNode",
    "SpikingNeuron",
}


def test_every_neuron_has_a_row():
    classes = {name for name in neuron.__all__ if inspect.isclass(getattr(neuron, name))}
    rows = [row.name for row in gallery.ROWS]
    assert set(rows) == classes - BASES
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("row", gallery.ROWS, ids=lambda row: row.name)
def test_a_row_shows_something(row):
    x_seq, states, output = gallery.run(row)
    assert x_seq.shape == output.shape
    assert states
    for seq in states.values():
        assert seq.shape == x_seq.shape
        assert seq.isfinite().all()
        assert seq.std() > 0
    if torch.equal(output, output.round()) and output.unique().numel() <= 5:
        assert 0.02 < (output != 0).float().mean() < 0.6


def test_the_page_is_what_the_rows_say():
    assert gallery.PAGE.read_text() == gallery.page(), "run python docs/gallery.py"


def test_figures_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "ROWS", gallery.ROWS[:2])
    gallery.draw(tmp_path / "figures")
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["IFNode.svg", "LIFNode.svg"]
    assert "<svg" in (tmp_path / "figures" / names[0]).read_text()
