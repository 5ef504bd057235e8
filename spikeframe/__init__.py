"""Spiking neural networks in PyTorch: a neuron is a few lines of plain torch."""

from . import base, encoding, functional, kernels, layer, memory, neuron, rnn, surrogate

__all__ = [
    "base",
    "encoding",
    "functional",
    "kernels",
    "layer",
    "memory",
    "neuron",
    "rnn",
    "surrogate",
]

__version__ = "0.1.0"
