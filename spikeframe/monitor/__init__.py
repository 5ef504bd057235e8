"""Watches a net by hooks: what it records, how often it fires, where its time goes."""

from .histogram import LayerHistogram, ValueHistogram
from .layers import LayerProfile, NetProfile
from .profile import profile
from .rates import FiringRates, LayerRates, recorded_spikes, spiking_nodes
from .records import (
    AttributeMonitor,
    GradInputMonitor,
    GradOutputMonitor,
    InputMonitor,
    OutputMonitor,
)

__all__ = [
    "AttributeMonitor",
    "FiringRates",
    "GradInputMonitor",
    "GradOutputMonitor",
    "InputMonitor",
    "LayerHistogram",
    "LayerProfile",
    "LayerRates",
    "NetProfile",
    "OutputMonitor",
    "ValueHistogram",
    "profile",
    "recorded_spikes",
    "spiking_nodes",
]
