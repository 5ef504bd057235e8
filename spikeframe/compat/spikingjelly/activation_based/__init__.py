"""SpikingJelly's ``activation_based`` (0.0.0.0.14): both step modes, backends by name."""

from . import base, encoding, functional, layer, monitor, neuron, rnn, surrogate

__all__ = ["base", "encoding", "functional", "layer", "monitor", "neuron", "rnn", "surrogate"]
