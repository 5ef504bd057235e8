"""SpikingJelly's ``monitor``."""

from ..activation_based.monitor import (
    FiringRates,
    LayerRates,
    recorded_spikes,
    spiking_nodes,
)

__all__ = [
    "FiringRates",
    "LayerRates",
    "recorded_spikes",
    "spiking_nodes",
]
