"""Small functions of SpikingJelly's ``functional`` that spikeframe has by no other name."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ... import neuron

__all__ = [
    "delay",
    "first_spike_index",
    "kaiming_normal_conv_linear_weight",
    "redundant_one_hot",
    "set_threshold_margin",
]


def redundant_one_hot(labels: Tensor, num_classes: int, n: int) -> Tensor:
    """Targets of ``n`` neurons per class, [N, num_classes * n].

    Example:
        >>> redundant_one_hot(torch.tensor([1]), 2, 3)
        tensor([[0., 0., 0., 1., 1., 1.]])
    """
    return F.one_hot(labels, num_classes).repeat_interleave(n, dim=1).float()


def first_spike_index(spikes: Tensor) -> Tensor:
    r"""True at the first spike along the last dimension, [\*, T].

    Example:
        >>> first_spike_index(torch.tensor([0.0, 1.0, 0.0, 1.0]))
        tensor([False,  True, False, False])
    """
    fired = spikes.detach() > 0
    return fired & (fired.cumsum(-1) == 1)


def kaiming_normal_conv_linear_weight(net: nn.Module) -> None:
    """Draw the weights of convolutions and linear layers from Kaiming's normal distribution."""
    for module in net.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, a=math.sqrt(5))


def set_threshold_margin(
    output_layer: neuron.BaseNode,
    label_one_hot: Tensor,
    eval_threshold: float = 1.0,
    threshold0: float = 0.9,
    threshold1: float = 1.1,
) -> None:
    """Give a class's own neuron another threshold than the rest while the net is trained.

    Arguments:
        output_layer: The neurons of the classes.
        label_one_hot: 1 at the neuron of a sample's class, else 0, [N, C].
        eval_threshold: The threshold of all outside of training.
        threshold0: That of the other classes' neurons.
        threshold1: That of the class's neuron.
    """
    if not output_layer.training:
        output_layer.v_threshold = eval_threshold
        return
    own = label_one_hot == 1
    output_layer.v_threshold = torch.where(own, threshold1, threshold0)


def delay(x_seq: Tensor, delay_steps: int) -> Tensor:
    r"""A sequence [T, \*] some steps later, with zeros before it.

    Example:
        >>> delay(torch.tensor([1.0, 2.0, 3.0]), 2)
        tensor([0., 0., 1.])
    """
    y_seq = torch.zeros_like(x_seq)
    y_seq[delay_steps:] = x_seq[: max(len(x_seq) - delay_steps, 0)]
    return y_seq
