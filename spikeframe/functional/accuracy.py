"""Accuracies of what is read out: spike counts, first spikes, membrane potentials."""

from torch import Tensor

from .check_outputs import check_labels
from .spike_time import first_spike_times

__all__ = ["first_spike_accuracy", "membrane_accuracy", "rate_accuracy"]


def rate_accuracy(s_seq: Tensor, target: Tensor) -> float:
    """The share of samples whose class fires most; of equal counts the first class counts.

    Arguments:
        s_seq: Output spikes, or sums of populations of them.
        target: Class of each sample.
    Shape:
        s_seq: [T, N, C]; target: [N].
    Raises:
        TypeError: An argument is no tensor.
        ValueError: The shapes do not fit.

    Example:
        >>> import torch
        >>> rate_accuracy(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.tensor([0, 0]))
        0.5
    """
    check_labels("rate_accuracy", s_seq, target)
    return _share(s_seq.sum(0).argmax(-1), target)


def first_spike_accuracy(s_seq: Tensor, target: Tensor) -> float:
    """The share of samples whose class fires first; of equal times the first class counts.

    A silent neuron counts as firing at the last step.

    Arguments:
        s_seq: Output spikes.
        target: Class of each sample.
    Shape:
        s_seq: [T, N, C]; target: [N].
    Raises:
        TypeError: An argument is no tensor.
        ValueError: The shapes do not fit.

    Example:
        >>> import torch
        >>> first_spike_accuracy(torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]), torch.tensor([1]))
        1.0
    """
    check_labels("first_spike_accuracy", s_seq, target)
    return _share(first_spike_times(s_seq).argmin(-1), target)


def membrane_accuracy(v_seq: Tensor, target: Tensor) -> float:
    """The share of samples whose class reaches the highest potential.

    Arguments:
        v_seq: Potentials of the output neurons.
        target: Class of each sample.
    Shape:
        v_seq: [T, N, C]; target: [N].
    Raises:
        TypeError: An argument is no tensor.
        ValueError: The shapes do not fit.

    Example:
        >>> import torch
        >>> membrane_accuracy(torch.tensor([[[0.3, 0.1]], [[0.2, 0.9]]]), torch.tensor([1]))
        1.0
    """
    check_labels("membrane_accuracy", v_seq, target)
    return _share(v_seq.amax(0).argmax(-1), target)


def _share(answer: Tensor, target: Tensor) -> float:
    return (answer == target).double().mean().item()
