"""SpikingJelly's ``clock_driven`` (0.0.0.0.12): a class for steps, another for sequences."""

from .... import encoding, monitor, rnn, surrogate
from ..mirror import mirror
from . import functional, layer, neuron

__all__ = ["encoding", "functional", "layer", "monitor", "neuron", "rnn", "surrogate"]

mirror(__name__, encoding=encoding, monitor=monitor, rnn=rnn, surrogate=surrogate)
