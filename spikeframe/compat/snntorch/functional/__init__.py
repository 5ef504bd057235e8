"""snnTorch's losses, accuracies, regularisers, quantisers and probes."""

from . import acc, loss, probe, quant, reg, stdp_learner
from .acc import accuracy_rate, accuracy_temporal
from .loss import (
    SpikeTime,
    ce_count_loss,
    ce_max_membrane_loss,
    ce_rate_loss,
    ce_temporal_loss,
    mse_count_loss,
    mse_membrane_loss,
    mse_temporal_loss,
)
from .probe import (
    AttributeMonitor,
    GradInputMonitor,
    GradOutputMonitor,
    InputMonitor,
    OutputMonitor,
)
from .quant import state_quant
from .reg import l1_rate_sparsity
from .stdp_learner import STDPLearner

__all__ = [
    "AttributeMonitor",
    "GradInputMonitor",
    "GradOutputMonitor",
    "InputMonitor",
    "OutputMonitor",
    "STDPLearner",
    "SpikeTime",
    "acc",
    "accuracy_rate",
    "accuracy_temporal",
    "ce_count_loss",
    "ce_max_membrane_loss",
    "ce_rate_loss",
    "ce_temporal_loss",
    "l1_rate_sparsity",
    "loss",
    "mse_count_loss",
    "mse_membrane_loss",
    "mse_temporal_loss",
    "probe",
    "quant",
    "reg",
    "state_quant",
    "stdp_learner",
]
