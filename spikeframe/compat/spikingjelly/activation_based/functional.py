"""SpikingJelly's ``functional``."""

from ....functional import (
    chunk_multi_step_forward,
    detach_net,
    fuse_conv_bn_eval_modules,
    lif_step,
    multi_step_forward,
    ottt_online_training,
    reset_net,
    seq_to_ann_forward,
    set_backend,
    set_step_mode,
    t_last_multi_step_forward,
    t_last_seq_to_ann_forward,
    temporal_efficient_training_cross_entropy,
)
from ..helpers import (
    delay,
    first_spike_index,
    kaiming_normal_conv_linear_weight,
    redundant_one_hot,
    set_threshold_margin,
)

__all__ = [
    "chunk_multi_step_forward",
    "delay",
    "detach_net",
    "first_spike_index",
    "fuse_conv_bn_eval_modules",
    "kaiming_normal_conv_linear_weight",
    "lif_step",
    "multi_step_forward",
    "ottt_online_training",
    "redundant_one_hot",
    "reset_net",
    "seq_to_ann_forward",
    "set_backend",
    "set_step_mode",
    "set_threshold_margin",
    "t_last_multi_step_forward",
    "t_last_seq_to_ann_forward",
    "temporal_efficient_training_cross_entropy",
]
