"""Every neuron is fused and in the table of docs/conformance.md, or says what it is made of."""

import inspect
import re

import conformance
import pytest
import torch
from torch import nn

from spikeframe import kernels, neuron, rnn

BASES = {
    "AdaptBaseNode",
    "BaseNode",
    "Feedback",
    "MPBNBaseNode",
    "Node",
    "Noisy",
    "NonSpikingBaseNode",
    "Refractory",
    "SimpleBaseNode",
    "SpikingNeuron",
}

# What is no elementwise step, and the reason that is given.
COMPOSED = {
    "PSN": (lambda: neuron.PSN(4), "it sums over the steps of a sequence at once"),
    "MaskedPSN": (lambda: neuron.MaskedPSN(2, 4), "it sums over the steps of a sequence at once"),
    "SlidingPSN": (lambda: neuron.SlidingPSN(2), "it sums over the steps of a sequence at once"),
    "SLSTM": (lambda: neuron.SLSTM(3, 4), r"uses the module lstm_cell \(LSTMCell\)"),
    "SConv2dLSTM": (
        lambda: neuron.SConv2dLSTM(1, 2, 3),
        "uses torch.cat, which has no elementwise",
    ),
    "MPBNLIFNode": (
        lambda: neuron.MPBNLIFNode(out_features=3),
        r"uses the module vbn \(BatchNorm1d\)",
    ),
    "deep LIF": (
        lambda: rnn.RecurrentLIFNode(nn.Sequential(nn.Linear(3, 3))),
        r"uses the module recurrent \(Sequential\), which is none of torch's own nn.Linear",
    ),
    "inhibited Leaky": (
        lambda: neuron.Leaky(0.5, inhibition=True),
        "winner .* a kernel sees one neuron at a time",
    ),
}

# What is an elementwise step after a product, which test_coupled.py compares with the lines.
COUPLED = {
    "dense RLeaky": lambda: neuron.RLeaky(0.5, linear_features=3),
    "convolutional RSynaptic": lambda: neuron.RSynaptic(
        0.5, 0.5, conv2d_channels=2, kernel_size=3
    ),
    "dense LIF": lambda: rnn.RecurrentLIFNode(nn.Linear(3, 3)),
}

# Which the table cannot show: it takes steps only, and gives two outputs in training mode.
STEPS_ONLY = {"OTTTLIFNode"}


def test_every_neuron_has_a_row_or_a_reason():
    classes = {name for name in neuron.__all__ if inspect.isclass(getattr(neuron, name))}
    rows = [type(row.make("auto")) for row in conformance.ROWS]
    shown = {cls.__name__ for kind in rows for cls in kind.__mro__}
    assert classes - BASES - STEPS_ONLY - COMPOSED.keys() <= shown
    assert {"Noisy", "Refractory", "Feedback"} <= shown


@pytest.mark.parametrize("name", COMPOSED)
def test_what_is_composed_says_so(name):
    make, reason = COMPOSED[name]
    assert re.search(reason, kernels.why_not(make(), "torch"))


@pytest.mark.parametrize("name", COUPLED)
def test_what_hears_itself_is_fused_step_by_step(engine, name):
    reason = kernels.why_not(COUPLED[name](), engine)
    assert "hears spk through recurrent" in reason if engine == "torch" else reason is None


@pytest.mark.parametrize("training", [True, False])
def test_steps_alone_are_fused_too(engine, training):
    x_seq = torch.rand(6, 3, 17, generator=torch.Generator().manual_seed(0)) * 2
    nodes = [neuron.OTTTLIFNode(2.7, backend=b).train(training) for b in ("eager", engine)]
    for x in x_seq:
        outputs = [node(x) for node in nodes]
        assert outputs[0][0].shape == outputs[1][0].shape
        for a, b in zip(*outputs, strict=True):
            assert torch.equal(a, b)
