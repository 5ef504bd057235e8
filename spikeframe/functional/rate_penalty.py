"""Penalties on firing rates: of too many spikes, of silent neurons, of busy ones."""

from torch import Tensor

from .check_outputs import check_share

__all__ = ["busy_penalty", "silent_penalty", "spike_count_penalty"]


def spike_count_penalty(s_seq: Tensor) -> Tensor:
    """The number of all spikes, to be multiplied by a small factor.

    Arguments:
        s_seq: Spikes, of any shape.

    Example:
        >>> import torch
        >>> spike_count_penalty(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        tensor(3.)
    """
    return s_seq.sum()


def silent_penalty(s_seq: Tensor, lowest: float = 0.01) -> Tensor:
    r"""How far the rates of neurons lie below the lowest that is wanted.

    .. math::
        L = \frac{1}{M} \sum_m \max(0, r_{min} - \bar r_m)^2, \qquad
        \bar r_m = \frac{1}{T N} \sum_{t, n} S_{n m}[t]

    Arguments:
        s_seq: Spikes.
        lowest: The lowest rate :math:`r_{min}` that costs nothing, in spikes per step, 0 to 1.
    Shape:
        s_seq: [T, N, \*]; output: a number.
    Raises:
        TypeError: ``lowest`` is not a number.
        ValueError: It is outside of [0, 1], or s_seq has no steps or samples.
    References:
        | The Remarkable Robustness of Surrogate Gradient Learning for Instilling Complex Function
          in Spiking Neural Networks (Zenke, Vogels, 2021)
        | https://doi.org/10.1162/neco_a_01367

    Example:
        >>> import torch
        >>> silent_penalty(torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]]), lowest=0.5)
        tensor(0.1250)
    """
    return (check_share("lowest", lowest) - _rates(s_seq)).relu().square().mean()


def busy_penalty(s_seq: Tensor, highest: float = 0.5) -> Tensor:
    r"""How far the rates of neurons lie above the highest that is wanted.

    .. math::
        L = \frac{1}{M} \sum_m \max(0, \bar r_m - r_{max})^2

    Arguments:
        s_seq: Spikes.
        highest: The highest rate :math:`r_{max}` that costs nothing, in spikes per step, 0 to 1.
    Shape:
        s_seq: [T, N, \*]; output: a number.
    Raises:
        TypeError: ``highest`` is not a number.
        ValueError: It is outside of [0, 1], or s_seq has no steps or samples.

    Example:
        >>> import torch
        >>> busy_penalty(torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]]), highest=0.5)
        tensor(0.1250)
    """
    return (_rates(s_seq) - check_share("highest", highest)).relu().square().mean()


def _rates(s_seq: Tensor) -> Tensor:
    """Spikes per step of each neuron."""
    if s_seq.dim() < 2 or s_seq.numel() == 0:
        raise ValueError(
            f"rates need steps and samples, [T, N, *], got spikes of shape {list(s_seq.shape)}"
        )
    return s_seq.flatten(0, 1).mean(0)
