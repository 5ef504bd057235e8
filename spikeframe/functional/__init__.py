"""Functions on nets and sequences: reset, step mode, backend, states, ways to run over time."""

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
from .net import detach_net, reset_net, set_backend, set_save, set_step_mode
from .online import ottt_online_training
from .state import get_states, load_states, save_states, set_states, state_dict
from .truncated import tbptt

__all__ = [
    "ExplicitStates",
    "beta_to_tau",
    "chunk_multi_step_forward",
    "detach_net",
    "fuse_conv_bn_eval_modules",
    "get_states",
    "lif_step",
    "load_states",
    "multi_step_forward",
    "ottt_online_training",
    "reset_net",
    "save_states",
    "seq_to_ann_forward",
    "sequence_mask",
    "set_backend",
    "set_save",
    "set_states",
    "set_step_mode",
    "state_dict",
    "t_last_multi_step_forward",
    "t_last_seq_to_ann_forward",
    "tau_to_beta",
    "tbptt",
    "variable_length_forward",
]
