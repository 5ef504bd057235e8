"""Functions on nets and sequences: reset, step mode, backend, states, losses and metrics."""

from .accuracy import first_spike_accuracy, membrane_accuracy, rate_accuracy
from .event_driven import set_event_driven
from .explicit import ExplicitStates
from .forward import (
    chunk_multi_step_forward,
    multi_step_forward,
    seq_to_ann_forward,
    t_last_multi_step_forward,
    t_last_seq_to_ann_forward,
)
from .fusion import fuse_conv_bn_eval_modules
from .leaky import beta_to_tau, lif_step, tau_to_beta
from .lengths import sequence_mask, variable_length_forward
from .membrane_loss import max_membrane_cross_entropy, membrane_mse
from .net import detach_net, reset_net, set_backend, set_save, set_step_mode
from .online import ottt_online_training
from .population import population_sum
from .quantize import LevelQuantizer, exponential_levels, uniform_levels
from .rate_loss import (
    count_cross_entropy,
    count_mse,
    rate_cross_entropy,
    temporal_efficient_training_cross_entropy,
)
from .rate_penalty import busy_penalty, silent_penalty, spike_count_penalty
from .spike_time import first_spike_times, spike_times
from .state import get_states, load_states, save_states, set_states, state_dict
from .stdp import stdp_step
from .temporal_loss import spike_time_cross_entropy, spike_time_mse, spike_time_targets
from .truncated import tbptt

__all__ = [
    "ExplicitStates",
    "LevelQuantizer",
    "beta_to_tau",
    "busy_penalty",
    "chunk_multi_step_forward",
    "count_cross_entropy",
    "count_mse",
    "detach_net",
    "exponential_levels",
    "first_spike_accuracy",
    "first_spike_times",
    "fuse_conv_bn_eval_modules",
    "get_states",
    "lif_step",
    "load_states",
    "max_membrane_cross_entropy",
    "membrane_accuracy",
    "membrane_mse",
    "multi_step_forward",
    "ottt_online_training",
    "population_sum",
    "rate_accuracy",
    "rate_cross_entropy",
    "reset_net",
    "save_states",
    "seq_to_ann_forward",
    "sequence_mask",
    "set_backend",
    "set_event_driven",
    "set_save",
    "set_states",
    "set_step_mode",
    "silent_penalty",
    "spike_count_penalty",
    "spike_time_cross_entropy",
    "spike_time_mse",
    "spike_time_targets",
    "spike_times",
    "state_dict",
    "stdp_step",
    "t_last_multi_step_forward",
    "t_last_seq_to_ann_forward",
    "tau_to_beta",
    "tbptt",
    "temporal_efficient_training_cross_entropy",
    "uniform_levels",
    "variable_length_forward",
]
