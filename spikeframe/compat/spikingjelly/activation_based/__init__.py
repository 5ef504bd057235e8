"""SpikingJelly's ``activation_based`` (0.0.0.0.14): both step modes, backends by name."""

from .... import base, encoding, layer, monitor, rnn, surrogate
from ..mirror import mirror
from . import functional, neuron

__all__ = ["base", "encoding", "functional", "layer", "monitor", "neuron", "rnn", "surrogate"]

mirror(
    __name__,
    base=base,
    encoding=encoding,
    layer=layer,
    monitor=monitor,
    rnn=rnn,
    surrogate=surrogate,
)
