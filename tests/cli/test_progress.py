import io
import sys

import pytest

from spikeframe.cli.loop import Score
from spikeframe.cli.progress import Progress

ROW = {"epoch": 1.0, "train_loss": 0.5, "train_accuracy": 0.75, "test_accuracy": 0.8, "seconds": 2}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Called in the test itself: pytest sets its own stderr between fixtures and test."""

    def terminal():
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return terminal


def test_terminal_shows_a_bar_with_loss_and_accuracy(terminal, monkeypatch):
    screen = terminal()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with Progress("LIFNode", epochs=2, batches=3) as progress:
        progress.start([])
        progress.advance(Score(images=8, loss_sum=4.0, correct=6))
        progress.finish_epoch(ROW)
        progress.bar.refresh()
    shown = screen.getvalue().split("\r")
    assert any("LIFNode epoch 1/2" in part for part in shown)
    assert "LIFNode epoch 2/2" in shown[-1]
    assert "loss=0.500 train=75.00%" in shown[-1]
    assert sys.stdout.getvalue() == ""


def test_resumed_bar_starts_where_it_stopped(terminal):
    terminal()
    with Progress("LIFNode", epochs=2, batches=3) as progress:
        progress.start([ROW])
        assert progress.bar.n == 3
        assert progress.bar.total == 6
        progress.advance(Score(images=8, loss_sum=4.0, correct=6))
        assert progress.bar.postfix == "loss=0.500 train=75.00% test=80.00%"


def test_elsewhere_a_line_is_printed_per_epoch(capsys):
    with Progress("ReLU", epochs=2, batches=3) as progress:
        progress.start([])
        progress.advance(Score(images=8, loss_sum=4.0, correct=6))
        progress.finish_epoch(ROW)
    printed = capsys.readouterr()
    assert printed.out == "ReLU: epoch 1/2 loss=0.500 train=75.00% test=80.00% 2.0 s\n"
    assert printed.err == ""
