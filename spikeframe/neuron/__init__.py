"""Spiking neurons as modules: their state inside, one step or a sequence at a time."""

from .adaptive import AdaptBaseNode, AdExNode, IzhikevichNode
from .alif import ALIFNode
from .alpha import Alpha
from .base_node import BaseNode
from .clif import ComplementaryLIFNode
from .cuba import CUBALIFNode
from .dsr import DSRIFNode, DSRLIFNode
from .feedback import Feedback
from .glif import GatedLIFNode
from .ilif import ILIFNode
from .integrate_and_fire import IFNode
from .klif import KLIFNode
from .lapicque import Lapicque
from .leaky import DeltaLeaky, Leaky
from .liaf import LIAFNode
from .lif import LIFNode
from .lstm import SLSTM, SConv2dLSTM
from .mpbn import MPBNBaseNode, MPBNLIFNode
from .node import Node
from .noisy import Noisy, powerlaw_noise
from .nonlinear import EIFNode, QIFNode
from .online import OTTTLIFNode, SLTTLIFNode
from .plif import ParametricLIFNode
from .psn import PSN, MaskedPSN, SlidingPSN
from .raf import RAFNode
from .readout import NonSpikingBaseNode, NonSpikingIFNode, NonSpikingLIFNode
from .recurrent import RLeaky, RSynaptic
from .refractory import Refractory
from .scan import exponential_scan
from .simple import SimpleBaseNode, SimpleIFNode, SimpleLIFNode
from .snntorch import from_snntorch
from .spiking_neuron import SpikingNeuron
from .spikingjelly import from_spikingjelly
from .state_leaky import LeakyParallel, LinearLeaky, StateLeaky
from .step import (
    adex_step,
    alif_step,
    alpha_step,
    clif_step,
    cuba_step,
    eif_step,
    if_step,
    ilif_step,
    izhikevich_step,
    klif_step,
    lapicque_step,
    leaky_step,
    lif_step,
    qif_step,
    raf_step,
    synaptic_step,
    ternary_if_step,
    ternary_lif_step,
)
from .synaptic import Synaptic
from .ternary import TernaryIFNode, TernaryLIFNode

__all__ = [
    "ALIFNode",
    "AdExNode",
    "AdaptBaseNode",
    "Alpha",
    "BaseNode",
    "CUBALIFNode",
    "ComplementaryLIFNode",
    "DSRIFNode",
    "DSRLIFNode",
    "DeltaLeaky",
    "EIFNode",
    "Feedback",
    "GatedLIFNode",
    "IFNode",
    "ILIFNode",
    "IzhikevichNode",
    "KLIFNode",
    "LIAFNode",
    "LIFNode",
    "Lapicque",
    "Leaky",
    "LeakyParallel",
    "LinearLeaky",
    "MPBNBaseNode",
    "MPBNLIFNode",
    "MaskedPSN",
    "Node",
    "Noisy",
    "NonSpikingBaseNode",
    "NonSpikingIFNode",
    "NonSpikingLIFNode",
    "OTTTLIFNode",
    "PSN",
    "ParametricLIFNode",
    "QIFNode",
    "RAFNode",
    "RLeaky",
    "RSynaptic",
    "Refractory",
    "SConv2dLSTM",
    "SLSTM",
    "SLTTLIFNode",
    "SimpleBaseNode",
    "SimpleIFNode",
    "SimpleLIFNode",
    "SlidingPSN",
    "SpikingNeuron",
    "StateLeaky",
    "Synaptic",
    "TernaryIFNode",
    "TernaryLIFNode",
    "adex_step",
    "alif_step",
    "alpha_step",
    "clif_step",
    "cuba_step",
    "eif_step",
    "exponential_scan",
    "from_snntorch",
    "from_spikingjelly",
    "if_step",
    "ilif_step",
    "izhikevich_step",
    "klif_step",
    "lapicque_step",
    "leaky_step",
    "lif_step",
    "powerlaw_noise",
    "qif_step",
    "raf_step",
    "synaptic_step",
    "ternary_if_step",
    "ternary_lif_step",
]
