"""A call may skip the methods between it and its kernel, unless somebody changed one."""

import torch

from spikeframe import neuron
from spikeframe.base.skippable import skippable


class Watching(neuron.IFNode):
    """Does something of its own before every sequence."""

    def run_sequences(self, seqs):
        return super().run_sequences(seqs)


class Harmless(neuron.IFNode):
    """Does nothing that could be missed."""

    @skippable
    def fit_memories(self, x, names=None):
        super().fit_memories(x, names)


class Fits:
    """A mixin with a method of that name."""

    def fit_memories(self, x, names=None):
        super().fit_memories(x, names)


class Mixed(Fits, neuron.IFNode):
    """A neuron with it."""


def test_only_methods_that_were_looked_at_may_be_skipped():
    for cls in (neuron.IFNode, lambda: neuron.Leaky(0.9), Harmless):
        assert cls().is_replayable
    for cls in (Watching, Mixed):
        assert not cls().is_replayable
    node = neuron.IFNode()
    node.run_sequences = lambda seqs: torch.stack(list(seqs))
    assert not node.is_replayable
