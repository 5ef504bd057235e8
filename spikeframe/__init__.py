"""Spiking neural networks in PyTorch: a neuron is a few lines of plain torch."""

__version__ = "0.1.0"
