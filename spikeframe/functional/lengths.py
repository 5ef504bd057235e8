"""Batches of sequences of different lengths."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .. import kernels
from ..base.entry import masked_samples

__all__ = ["sequence_mask", "variable_length_forward"]


def sequence_mask(lengths: Tensor, steps: int) -> Tensor:
    """Where sequences of these lengths go on: True at their own steps, bool, [T, N].

    Arguments:
        lengths: Steps of each sample, integers from 0 to ``steps``, [N].
        steps: Steps of the longest, T.
    Raises:
        ValueError: The lengths are not integers [N], or out of range.

    Example:
        >>> sequence_mask(torch.tensor([3, 1]), 3).int()
        tensor([[1, 1],
                [1, 0],
                [1, 0]], dtype=torch.int32)
    """
    if lengths.dim() != 1 or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(
            f"lengths must be integers [N], got {lengths.dtype} of shape {list(lengths.shape)}"
        )
    if bool(((lengths < 0) | (lengths > steps)).any()):
        raise ValueError(
            f"lengths must be from 0 to T={steps}, got {lengths.min().item()} to "
            f"{lengths.max().item()}"
        )
    return torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths


def variable_length_forward(net: nn.Module, x_seq: Tensor, lengths: Tensor) -> Any:
    r"""Run ``net`` over padded sequences; each sample ends at its own step.

    Past the end a sample's states stay what they were, its outputs are 0 and it gets no gradient,
    whatever the padding holds: outputs and states are those of each sample run by itself. So the
    score of a sample over time is ``y_seq.sum(0) / lengths.unsqueeze(1)``. The exceptions are
    layers that mix samples: batch norm in training counts padded steps.

    A neuron that an engine can run is run by it, over each stretch of time in which the same
    samples go on; any other module that remembers runs step by step.

    Arguments:
        net: The net, with step_mode 'm'.
        x_seq: The padded sequences, [T, N, \*].
        lengths: Steps of each sample, integers [N]; or a mask, bool [T, N], True where a sample
            goes on.
    Shape:
        output: [T, N, \*]; tensors in tuples, lists and dicts likewise.
    Raises:
        ValueError: The lengths do not fit the input, an output is not [T, N, \*], or a module
            needs all steps at once.

    Example:
        >>> from spikeframe import neuron
        >>> node = neuron.IFNode(step_mode="m")
        >>> x_seq = torch.full((3, 2), 0.4)
        >>> variable_length_forward(node, x_seq, torch.tensor([3, 1]))
        tensor([[0., 0.],
                [0., 0.],
                [1., 0.]])
        >>> node.v
        tensor([0.0000, 0.4000])
    """
    kernels.check_sequences((x_seq,))
    if x_seq.dim() < 2:
        raise ValueError(f"padded sequences are [T, N, *], got {list(x_seq.shape)}")
    is_mask = lengths.dtype == torch.bool
    mask = lengths if is_mask else sequence_mask(lengths, x_seq.shape[0])
    if mask.shape != x_seq.shape[:2]:
        what = "a mask must be [T, N]" if is_mask else "lengths must be [N]"
        raise ValueError(
            f"{what} for sequences of shape {list(x_seq.shape)}, got {list(lengths.shape)}"
        )
    mask = mask.to(x_seq.device)
    with masked_samples(mask):
        outputs = net(_masked(x_seq, mask))
    return tree_map_only(Tensor, lambda y: _masked(y, mask), outputs)


def _masked(y_seq: Tensor, mask: Tensor) -> Tensor:
    """Zeros past the end: a product would let nan and inf through."""
    if y_seq.shape[:2] != mask.shape:
        raise ValueError(
            f"sequences of different lengths need outputs [T, N, *] = {list(mask.shape)}, got "
            f"{list(y_seq.shape)}: let the net return all steps, and reduce over them behind it"
        )
    return torch.where(mask.view(*mask.shape, *[1] * (y_seq.dim() - 2)), y_seq, 0.0)
