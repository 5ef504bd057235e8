"""snnTorch on spikeframe: ``import spikeframe.compat.snntorch as snn``."""

from . import neurons
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
    "DeltaLeaky",
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
    "neurons",
]
