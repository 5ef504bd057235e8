"""Losses of what output neurons do over time: at every step, or in sum."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .check_outputs import check_labels, check_share, reduced, weighted

__all__ = [
    "count_cross_entropy",
    "count_mse",
    "rate_cross_entropy",
    "temporal_efficient_training_cross_entropy",
]


def rate_cross_entropy(
    x_seq: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    r"""Cross entropy at every step, averaged over the steps: the right class is to fire at each.

    .. math::
        L = \frac{1}{T} \sum_t \text{CE}(X[t], y)

    Arguments:
        x_seq: Output spikes (or potentials).
        target: Class of each sample.
        weight: Weight of each class, [C]; the mean over samples is not divided by it.
        reduction: 'mean', 'sum' or 'none' over the samples.
    Shape:
        x_seq: [T, N, C]; target: [N]; output: a number, or [N].
    Raises:
        TypeError: An argument is no tensor.
        ValueError: The shapes do not fit, or the reduction is unknown.

    Example:
        >>> s_seq = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
        >>> rate_cross_entropy(s_seq, torch.tensor([0]))
        tensor(0.3133)
    """
    check_labels("rate_cross_entropy", x_seq, target)
    losses = F.cross_entropy(
        x_seq.flatten(0, 1), target.long().repeat(x_seq.shape[0]), reduction="none"
    )
    losses = losses.unflatten(0, x_seq.shape[:2]).mean(0)
    return reduced(weighted(losses, target, weight), reduction)


def count_cross_entropy(
    x_seq: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    r"""Cross entropy of the spike counts: the right class is to fire most.

    .. math::
        L = \text{CE}\Bigl(\sum_t S[t], y\Bigr)

    Arguments:
        x_seq: Output spikes.
        target: Class of each sample.
        weight: Weight of each class, [C]; the mean over samples is not divided by it.
        reduction: 'mean', 'sum' or 'none' over the samples.
    Shape:
        x_seq: [T, N, C]; target: [N]; output: a number, or [N].
    Raises:
        TypeError: An argument is no tensor.
        ValueError: The shapes do not fit, or the reduction is unknown.

    Example:
        >>> s_seq = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
        >>> count_cross_entropy(s_seq, torch.tensor([0]))
        tensor(0.1269)
    """
    check_labels("count_cross_entropy", x_seq, target)
    losses = F.cross_entropy(x_seq.sum(0), target.long(), reduction="none")
    return reduced(weighted(losses, target, weight), reduction)


def count_mse(
    x_seq: Tensor,
    target: Tensor,
    correct_rate: float = 1.0,
    incorrect_rate: float = 0.0,
    *,
    neurons: int = 1,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    r"""Squared distance of the spike counts from those that are wanted, per step.

    .. math::
        L = \frac{1}{T} \text{MSE}\Bigl(\sum_t S[t], \lfloor T r \rfloor\Bigr)

    with the rate r of the right class, or of the wrong ones.

    Arguments:
        x_seq: Output spikes, or sums of populations of them.
        target: Class of each sample.
        correct_rate: Share of the steps in which the right class is to fire, 0 to 1.
        incorrect_rate: Likewise the other classes.
        neurons: Neurons summed in each output of x_seq, see :func:`population_sum`.
        weight: Weight of each class, [C], by which a sample's loss is multiplied.
        reduction: 'mean', 'sum' or 'none' over samples and classes.
    Shape:
        x_seq: [T, N, C]; target: [N]; output: a number, or [N, C].
    Raises:
        TypeError: An argument is of another type.
        ValueError: The shapes do not fit, a rate is outside of [0, 1], or the reduction unknown.
    References:
        | SLAYER: Spike Layer Error Reassignment in Time (Shrestha, Orchard, 2018)
        | https://arxiv.org/abs/1810.08646

    Example:
        >>> s_seq = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])
        >>> count_mse(s_seq, torch.tensor([0]))
        tensor(0.2500)
    """
    check_labels("count_mse", x_seq, target)
    steps, _, classes = x_seq.shape
    right = int(steps * check_share("correct_rate", correct_rate) * neurons)
    wrong = int(steps * check_share("incorrect_rate", incorrect_rate) * neurons)
    hit = F.one_hot(target.long(), classes).bool()
    wanted = torch.where(hit, float(right), float(wrong)).to(x_seq.dtype)
    losses = (x_seq.sum(0) - wanted).square()
    return reduced(weighted(losses, target, weight), reduction) / steps


def temporal_efficient_training_cross_entropy(
    x_seq: Tensor, target: Tensor, lamb: float = 0.0, phi: float = 1.0
) -> Tensor:
    r"""Loss of temporal efficient training: cross entropy at every step, held near a potential.

    .. math::
        L = (1 - \lambda) \frac{1}{T} \sum_t \text{CE}(X[t], y)
            + \lambda \frac{1}{T} \sum_t \text{MSE}(X[t], \phi)

    Arguments:
        x_seq: Outputs of all steps, before any softmax.
        target: Class of each sample.
        lamb: Share :math:`\lambda` of the second term, 0 to 1; SpikingJelly has the first alone.
        phi: The potential :math:`\phi` that outputs are held near.
    Shape:
        x_seq: [T, N, C]; target: [N]; output: a number.
    Raises:
        TypeError: An argument is of another type.
        ValueError: The shapes do not fit, or lamb is outside of [0, 1].
    References:
        | Temporal Efficient Training of Spiking Neural Network via Gradient Re-weighting
          (Deng et al., 2022)
        | https://arxiv.org/abs/2202.11946

    Example:
        >>> x_seq, target = torch.zeros(4, 2, 10), torch.tensor([3, 7])
        >>> temporal_efficient_training_cross_entropy(x_seq, target)
        tensor(2.3026)
        >>> temporal_efficient_training_cross_entropy(x_seq, target, lamb=1.0, phi=2.0)
        tensor(4.)
    """
    check_labels("temporal_efficient_training_cross_entropy", x_seq, target)
    loss = rate_cross_entropy(x_seq, target)
    share = check_share("lamb", lamb)
    return loss if share == 0 else (1 - share) * loss + share * (x_seq - phi).square().mean()
