"""SpikingJelly's ``rnn``."""

from ....rnn import (
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
