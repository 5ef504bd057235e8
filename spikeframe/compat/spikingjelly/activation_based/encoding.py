"""SpikingJelly's ``encoding``."""

from ....encoding import (
    DeltaEncoder,
    Direct,
    LatencyEncoder,
    PeriodicEncoder,
    PoissonEncoder,
    StatefulEncoder,
    StatelessEncoder,
    WeightedPhaseEncoder,
    delta,
    direct,
    latency,
    rate,
    weighted_phase,
)

__all__ = [
    "DeltaEncoder",
    "Direct",
    "LatencyEncoder",
    "PeriodicEncoder",
    "PoissonEncoder",
    "StatefulEncoder",
    "StatelessEncoder",
    "WeightedPhaseEncoder",
    "delta",
    "direct",
    "latency",
    "rate",
    "weighted_phase",
]
