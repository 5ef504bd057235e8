"""The registry: every parametrised test reads its neurons, sizes and dtypes here.

A new neuron is tested by one row of EVERY_NEURON: how to make it, and its equations written out
once more, literally, for a float64 reference.
"""

from collections.abc import Callable
from typing import Any

import torch
from layers import LAYERS
from neuron_case import RESETS, NeuronCase, sequence
from snntorch_cases import SNNTORCH
from spikingjelly_cases import SPIKINGJELLY
from surrogates import SURROGATES
from torch import Tensor

from spikeframe import neuron

__all__ = [
    "DTYPES",
    "EVERY_NEURON",
    "INPUTS",
    "LAYERS",
    "LAYOUTS",
    "NEURONS",
    "RESETS",
    "SIZES",
    "SNNTORCH",
    "SURROGATES",
    "THRESHOLDS",
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

# What people write for a readout that never fires, and what is always fired.
THRESHOLDS = (1e9, float("inf"), -1.0)


def _not_finite(x_seq: Tensor) -> Tensor:
    x_seq = x_seq.clone()
    x_seq[2, ::3], x_seq[3, 1::3], x_seq[1, ::5] = torch.inf, -torch.inf, torch.nan
    x_seq[4, ::7], x_seq[5, ::11] = 1e-45, -0.0
    return x_seq


def _decimals(x_seq: Tensor) -> Tensor:
    """Of which sums land on a decimal threshold, or next to it."""
    x_seq = torch.full_like(x_seq, 0.1)
    x_seq[:, ::2] = 0.3
    return x_seq


# Changes of an input [T, N], T > 5.
INPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "inf, nan, subnormal": _not_finite,
    "decimals": _decimals,
}

# The same values of an input [T, N, C, H, W] otherwise in memory, or some of them again.
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "every other": lambda x: torch.stack((x, x + 1), -1)[..., 0],
    "steps apart": lambda x: torch.stack((x, x + 1), 1)[:, 0],
    "backwards": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "channels last": lambda x: (
        x.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, x.shape[:2])
    ),
    "transposed": lambda x: x.mT.contiguous().mT,
    "expanded in time": lambda x: x[:1].expand_as(x),
    "expanded in the batch": lambda x: x[:, :1].expand_as(x),
    "expanded": lambda x: x[:1, :1, :1, :1, :1].expand_as(x),
}


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

# All of them: NEURONS are tried in every way, the others in a few.
EVERY_NEURON = (*NEURONS, *SPIKINGJELLY)
