"""SpikingJelly's ``rnn``."""

from ..activation_based.rnn import (
    Recurrent,
    RecurrentIFNode,
    RecurrentLIFNode,
    RecurrentParametricLIFNode,
    SpikingGRU,
    SpikingGRUCell,
    SpikingLSTM,
    SpikingLSTMCell,
    SpikingRNN,
    SpikingRNNCell,
    SpikingVanillaRNN,
    SpikingVanillaRNNCell,
)

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
