"""Encoders: values into spikes over time, [N, \\*] to [T, N, \\*], as functions and as modules."""

from .change import DeltaEncoder, delta
from .encoder import StatefulEncoder, StatelessEncoder
from .first_spike import LatencyEncoder, latency, latency_times
from .periodic import PeriodicEncoder
from .phase import WeightedPhaseEncoder, weighted_phase
from .poisson import PoissonEncoder, rate
from .ramp import ramps
from .repeat import Direct, direct

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
    "latency_times",
    "ramps",
    "rate",
    "weighted_phase",
]
