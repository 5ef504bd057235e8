"""SpikingJelly's ``neuron``: its arguments in their order, its defaults, any backend's name.

The classes are spikeframe's. Those for which SpikingJelly has GPU kernels take a backend that
the machine lacks as 'auto'; ``backend`` is 'auto' where none is named.
"""

from .... import neuron
from ....neuron import (
    PSN,
    AdaptBaseNode,
    BaseNode,
    CUBALIFNode,
    GatedLIFNode,
    KLIFNode,
    LIAFNode,
    MaskedPSN,
    MPBNBaseNode,
    MPBNLIFNode,
    NonSpikingBaseNode,
    NonSpikingIFNode,
    NonSpikingLIFNode,
    OTTTLIFNode,
    SimpleBaseNode,
    SimpleIFNode,
    SimpleLIFNode,
    SlidingPSN,
    SLTTLIFNode,
)
from ..any_backend import AnyBackend

__all__ = [
    "AdaptBaseNode",
    "BaseNode",
    "CUBALIFNode",
    "EIFNode",
    "GatedLIFNode",
    "IFNode",
    "ILIFNode",
    "IzhikevichNode",
    "KLIFNode",
    "LIAFNode",
    "LIFNode",
    "MPBNBaseNode",
    "MPBNLIFNode",
    "MaskedPSN",
    "NonSpikingBaseNode",
    "NonSpikingIFNode",
    "NonSpikingLIFNode",
    "OTTTLIFNode",
    "PSN",
    "ParametricLIFNode",
    "QIFNode",
    "SLTTLIFNode",
    "SimpleBaseNode",
    "SimpleIFNode",
    "SimpleLIFNode",
    "SlidingPSN",
]


class IFNode(AnyBackend, neuron.IFNode):
    """``neuron.IFNode`` that takes any backend's name."""


class LIFNode(AnyBackend, neuron.LIFNode):
    """``neuron.LIFNode`` that takes any backend's name."""


class ParametricLIFNode(AnyBackend, neuron.ParametricLIFNode):
    """``neuron.ParametricLIFNode`` that takes any backend's name."""


class QIFNode(AnyBackend, neuron.QIFNode):
    """``neuron.QIFNode`` that takes any backend's name."""


class EIFNode(AnyBackend, neuron.EIFNode):
    """``neuron.EIFNode`` that takes any backend's name."""


class IzhikevichNode(AnyBackend, neuron.IzhikevichNode):
    """``neuron.IzhikevichNode`` that takes any backend's name."""


class ILIFNode(AnyBackend, neuron.ILIFNode):
    """``neuron.ILIFNode`` that takes any backend's name."""
