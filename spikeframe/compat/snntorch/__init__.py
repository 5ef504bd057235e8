"""snnTorch on spikeframe: ``import spikeframe.compat.snntorch as snn``."""

from . import (
    backprop,
    export_nir,
    functional,
    import_nir,
    neurons,
    spikegen,
    spikeplot,
    spikevision,
    surrogate,
    utils,
)
from .layers import BatchNormTT1d, BatchNormTT2d, GradedSpikes
from .leaky import DeltaLeaky, Lapicque, Leaky, LeakySurrogate
from .lstm import SLSTM, SConv2dLSTM
from .neurons import LIF, SpikingNeuron
from .parallel import LeakyParallel, LinearLeaky, StateLeaky
from .recurrent import RLeaky, RSynaptic
from .synaptic import Alpha, Synaptic

__all__ = [
    "LIF",
    "SLSTM",
    "Alpha",
    "BatchNormTT1d",
    "BatchNormTT2d",
    "DeltaLeaky",
    "GradedSpikes",
    "Lapicque",
    "Leaky",
    "LeakyParallel",
    "LeakySurrogate",
    "LinearLeaky",
    "RLeaky",
    "RSynaptic",
    "SConv2dLSTM",
    "SpikingNeuron",
    "StateLeaky",
    "Synaptic",
    "backprop",
    "export_nir",
    "functional",
    "import_nir",
    "neurons",
    "spikegen",
    "spikeplot",
    "spikevision",
    "surrogate",
    "utils",
]
