"""SpikingJelly's ``functional`` of ``clock_driven``."""

from ..activation_based.functional import (
    detach_net,
    first_spike_index,
    kaiming_normal_conv_linear_weight,
    multi_step_forward,
    redundant_one_hot,
    reset_net,
    seq_to_ann_forward,
    set_threshold_margin,
    temporal_efficient_training_cross_entropy,
)

__all__ = [
    "detach_net",
    "first_spike_index",
    "kaiming_normal_conv_linear_weight",
    "multi_step_forward",
    "redundant_one_hot",
    "reset_net",
    "seq_to_ann_forward",
    "set_threshold_margin",
    "temporal_efficient_training_cross_entropy",
]
