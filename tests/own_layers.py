"""The layers under test that torch does not have: how to make one, and the shape of a step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from spikeframe import layer, neuron, surrogate

__all__ = ["OWN_LAYERS", "OwnCase"]


@dataclass(frozen=True)
class OwnCase:
    """One layer, and what it is fed.

    Arguments:
        name: Its name in :mod:`spikeframe.layer`.
        args: Makes its arguments.
        shape: One step of one sample.
        kwargs: Its keyword arguments.
        modes: The step modes it serves.
        state: The names of its own memories that take the batch's size.
        random: Whether it draws random numbers in the mode under test.
        steps: Whether it needs T steps at once.
        note: Tells cases of one layer apart.
    """

    name: str
    args: Callable[[], tuple]
    shape: tuple[int, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    modes: tuple[str, ...] = ("s", "m")
    state: tuple[str, ...] = ()
    random: bool = False
    steps: bool = False
    note: str = ""

    def __str__(self):
        return self.name + (f"-{self.note}" if self.note else "")

    def build(self, step_mode="m", dtype=torch.float64):
        """The layer in eval mode, with parameters and statistics unlike their initial values."""
        options = self.kwargs | ({"step_mode": step_mode} if len(self.modes) > 1 else {})
        module = getattr(layer, self.name)(*self.args(), **options).to(dtype)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, tensor in (*module.named_parameters(), *module.named_buffers()):
                if tensor.is_floating_point() and "delay" not in name:
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.2)
        return module.eval()

    def sequence(self, T=4, N=3, dtype=torch.float64, seed=1):
        """An input [T, N, *] of spikes and graded values."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(T, N, *self.shape, generator=generator, dtype=torch.float64)
        return x.to(dtype)


def spiking(**options):
    """A neuron that fires often enough to tell cases apart."""
    return neuron.LIFNode(tau=1.2, surrogate_function=surrogate.ATan(), **options)


def norms(kind, *args, state=(), **options):
    """A norm for vectors, lines, planes and volumes."""
    shapes = {"1d": ((3,), (3, 5)), "2d": ((3, 4, 5),), "3d": ((3, 2, 4, 5),)}
    for dims, steps in shapes.items():
        for shape in steps:
            note = "lines" if shape == (3, 5) else ""
            yield OwnCase(
                f"{kind}{dims}", lambda: (*args, 3), shape, options, state=state, note=note
            )


def attentions():
    """Attention of spikes."""
    for name in ("SpikingSelfAttention", "TokenQKAttention", "ChannelQKAttention"):
        yield OwnCase(name, lambda: (8, 2, spiking), (8, 5))
    yield OwnCase("QKAttention", lambda: (8, 2, "token", spiking), (8, 5))
    yield OwnCase("SpikeDrivenSelfAttention", lambda: (8, 2, spiking), (8, 3, 5))


OWN_LAYERS = [
    *norms("ThresholdDependentBatchNorm", 0.7, 1.5),
    *norms("TemporalEffectiveBatchNorm", 4),
    *norms("BatchNormThroughTime", 4),
    OwnCase("NeuNorm", lambda: (3, 4, 5), (3, 4, 5), state=("x",)),
    OwnCase("NeuNorm", lambda: (3, 4, 5, 0.6, True), (3, 4, 5), state=("x",), note="shared"),
    OwnCase("WSConv2d", lambda: (3, 4, 3), (3, 5, 6), {"padding": 1}),
    OwnCase(
        "WSConv2d",
        lambda: (4, 6, (3, 1), 2, 1, 1, 2),
        (4, 5, 6),
        {"gain": False, "padding_mode": "circular", "bias": False},
        note="grouped",
    ),
    OwnCase("WSLinear", lambda: (5, 4), (5,)),
    OwnCase("WSLinear", lambda: (5, 4), (2, 5), {"gain": False, "bias": False}, note="inner"),
    OwnCase("Delay", lambda: (2,), (3, 2), state=("queue",)),
    OwnCase("Delay", lambda: (0,), (3, 2), note="none"),
    OwnCase("LearnableDelay", lambda: (1.3, 3), (3, 2), state=("queue",)),
    OwnCase(
        "LearnableDelay",
        lambda: (torch.tensor([[0.0], [1.0], [2.4]]), 4),
        (3, 2),
        state=("queue",),
        note="channels",
    ),
    OwnCase("VotingLayer", lambda: (3,), (6,)),
    OwnCase("DropConnectLinear", lambda: (5, 4), (5,), {"samples_num": 8}, random=True),
    OwnCase(
        "ElementWiseRecurrentContainer",
        lambda: (nn.Tanh(), torch.add),
        (3, 2),
        state=("y",),
    ),
    OwnCase(
        "LinearRecurrentContainer",
        lambda: (nn.Sequential(nn.Linear(3, 4), spiking()), 3, 4),
        (2, 3),
        state=("y",),
    ),
    OwnCase("TemporalWiseAttention", lambda: (4, 2), (3, 4, 5), modes=("m",), steps=True),
    OwnCase(
        "TemporalWiseAttention", lambda: (4, 2, 2), (5,), modes=("m",), steps=True, note="vectors"
    ),
    OwnCase(
        "MultiDimensionalAttention", lambda: (4, 6, 2, 3), (6, 4, 5), modes=("m",), steps=True
    ),
    OwnCase("SpikeCountToBinary", lambda: (3,), (5,), modes=("m",)),
    OwnCase("TemporalBinSum", lambda: (2,), (5,), modes=("m",)),
    *attentions(),
]
