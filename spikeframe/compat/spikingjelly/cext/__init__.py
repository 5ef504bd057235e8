"""SpikingJelly's ``cext``, its CUDA extension before CuPy: the neurons, without the extension."""

from . import neuron

__all__ = ["neuron"]
