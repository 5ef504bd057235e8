"""Watches a net by hooks: what it records, how often it fires, how its values spread."""

from .histogram import LayerHistogram, ValueHistogram
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
    "LayerRates",
    "OutputMonitor",
    "ValueHistogram",
    "recorded_spikes",
    "spiking_nodes",
]
