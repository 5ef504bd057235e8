"""SpikingJelly's ``clock_driven`` (0.0.0.0.12): a class for steps, another for sequences."""

from . import encoding, functional, layer, monitor, neuron, rnn, surrogate

__all__ = ["encoding", "functional", "layer", "monitor", "neuron", "rnn", "surrogate"]
