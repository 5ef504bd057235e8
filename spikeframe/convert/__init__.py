"""Turns nets into other nets: torch's layers into ours and back, activations into neurons."""

from .activations import replace_activations
from .layers import to_layers, to_torch
from .per_call import PerCall

__all__ = ["PerCall", "replace_activations", "to_layers", "to_torch"]
