"""Recurrent networks: spiking cells with explicit states, and nodes that hear their own spikes."""

from .cell import SpikingGRUCell, SpikingLSTMCell, SpikingRNNCell, SpikingVanillaRNNCell
from .node import Recurrent, RecurrentIFNode, RecurrentLIFNode, RecurrentParametricLIFNode
from .stack import SpikingGRU, SpikingLSTM, SpikingRNN, SpikingVanillaRNN

__all__ = [
    "Recurrent",
    "RecurrentIFNode",
    "RecurrentLIFNode",
    "RecurrentParametricLIFNode",
    "SpikingGRU",
    "SpikingGRUCell",
    "SpikingLSTM",
    "SpikingLSTMCell",
    "SpikingRNN",
    "SpikingRNNCell",
    "SpikingVanillaRNN",
    "SpikingVanillaRNNCell",
]
