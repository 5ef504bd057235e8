"""Turns nets into other nets: layers, activations, norm and neuron as one, and back."""

from .activations import replace_activations
from .fused import fuse, unfuse
from .layers import to_layers, to_torch
from .per_call import PerCall

__all__ = ["PerCall", "fuse", "replace_activations", "to_layers", "to_torch", "unfuse"]
