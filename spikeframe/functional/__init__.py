"""Functions on nets and sequences: reset, step mode, backend, ways to run over time."""

from .forward import (
    chunk_multi_step_forward,
    multi_step_forward,
    seq_to_ann_forward,
    t_last_multi_step_forward,
    t_last_seq_to_ann_forward,
)
from .leaky import beta_to_tau, lif_step, tau_to_beta
from .net import detach_net, reset_net, set_backend, set_save, set_step_mode
from .online import ottt_online_training

__all__ = [
    "beta_to_tau",
    "chunk_multi_step_forward",
    "detach_net",
    "lif_step",
    "multi_step_forward",
    "ottt_online_training",
    "reset_net",
    "seq_to_ann_forward",
    "set_backend",
    "set_save",
    "set_step_mode",
    "t_last_multi_step_forward",
    "t_last_seq_to_ann_forward",
    "tau_to_beta",
]
