"""Less memory in training: spikes kept as bits, recomputation, chunks of time, and a report."""

from .checkpoint import Checkpointed, checkpoint, checkpoint_chunks
from .norm_neuron import NormNeuron
from .packed import pack_spikes, packed_spikes
from .report import LayerMemory, MemoryReport, report

__all__ = [
    "Checkpointed",
    "LayerMemory",
    "MemoryReport",
    "NormNeuron",
    "checkpoint",
    "checkpoint_chunks",
    "pack_spikes",
    "packed_spikes",
    "report",
]
