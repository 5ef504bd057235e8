"""The registry: every parametrised test reads its neurons, sizes and dtypes here.

A new neuron is tested by one row of NEURONS: how to make it, and its charge equation written
out once more, literally, for a float64 reference.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from layers import LAYERS
from surrogates import SURROGATES
from torch import Tensor

from spikeframe import neuron

__all__ = [
    "DTYPES",
    "LAYERS",
    "NEURONS",
    "RESETS",
    "SIZES",
    "SURROGATES",
    "TOLERANCE",
    "NeuronCase",
    "sequence",
]

# Relative to the largest value compared. Spikes of + - * / neurons have none: they are equal.
TOLERANCE = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.bfloat16: 1e-2,
    torch.float16: 2e-3,
}

DTYPES = tuple(TOLERANCE)

# One step, [N, *]: scalar, single, odd, prime and image-like.
SIZES = ((), (1,), (3, 7), (2, 3, 5), (2, 4, 3, 3))

# v_reset, detach_reset.
RESETS = ((0.0, False), (0.0, True), (-0.3, False), (None, False), (None, True))


@dataclass(frozen=True)
class NeuronCase:
    """A neuron and its literal charge ``h = charge(v, x, rest, node)``."""

    name: str
    make: Callable[..., neuron.BaseNode]
    charge: Callable[[Tensor, Tensor, float, Any], Tensor]
    arguments: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **overrides: Any) -> neuron.BaseNode:
        return self.make(**(self.arguments | overrides))

    def __str__(self) -> str:
        return self.name


def _sigmoid(node: Any) -> Tensor:
    return 1 / (1 + torch.exp(-node.w.double()))


NEURONS = (
    NeuronCase("IF", neuron.IFNode, lambda v, x, rest, node: v + x),
    NeuronCase(
        "LIF",
        neuron.LIFNode,
        lambda v, x, rest, node: v + (x - (v - rest)) / node.tau,
        {"tau": 2.7},
    ),
    NeuronCase(
        "LIF-input-not-decayed",
        neuron.LIFNode,
        lambda v, x, rest, node: v - (v - rest) / node.tau + x,
        {"tau": 2.7, "decay_input": False},
    ),
    NeuronCase(
        "PLIF",
        neuron.ParametricLIFNode,
        lambda v, x, rest, node: v + (x - (v - rest)) * _sigmoid(node),
        {"init_tau": 2.7},
    ),
    NeuronCase(
        "PLIF-input-not-decayed",
        neuron.ParametricLIFNode,
        lambda v, x, rest, node: v - (v - rest) * _sigmoid(node) + x,
        {"init_tau": 2.7, "decay_input": False},
    ),
)


def sequence(size: tuple[int, ...], T: int = 7, seed: int = 0, **options: Any) -> Tensor:
    """A random input [T, N, *] under which neurons of threshold 1 sometimes fire."""
    generator = torch.Generator().manual_seed(seed)
    x_seq = torch.rand(T, *size, generator=generator, dtype=torch.float64) * 2.4 - 0.3
    return x_seq.to(**({"dtype": torch.float32} | options))
