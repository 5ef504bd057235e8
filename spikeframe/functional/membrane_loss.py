"""Losses of the membrane potentials of output neurons."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .check_outputs import check_labels, reduced, weighted

__all__ = ["max_membrane_cross_entropy", "membrane_mse"]


def max_membrane_cross_entropy(
    v_seq: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    r"""Cross entropy of the highest potentials: the right class's is to be the highest.

    .. math::
        L = \text{CE}(\max_t U[t], y)

    Arguments:
        v_seq: Potentials of the output neurons.
        target: Class of each sample.
        weight: Weight of each class, [C]; the mean over samples is not divided by it.
        reduction: 'mean', 'sum' or 'none' over the samples.
    Shape:
        v_seq: [T, N, C]; target: [N]; output: a number, or [N].
    Raises:
        TypeError: An argument is no tensor.
        ValueError: The shapes do not fit, or the reduction is unknown.
    References:
        | The Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks
          (Cramer et al., 2020)
        | https://arxiv.org/abs/1910.07407

    Example:
        >>> v_seq = torch.tensor([[[0.0, 0.2]], [[1.0, 0.0]]])
        >>> max_membrane_cross_entropy(v_seq, torch.tensor([0]))
        tensor(0.3711)
    """
    check_labels("max_membrane_cross_entropy", v_seq, target)
    losses = F.cross_entropy(v_seq.max(0).values, target.long(), reduction="none")
    return reduced(weighted(losses, target, weight), reduction)


def membrane_mse(
    v_seq: Tensor,
    target: Tensor,
    on_target: float = 1.0,
    off_target: float = 0.0,
    *,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    r"""Squared distance of the potentials from those that are wanted, averaged over the steps.

    Arguments:
        v_seq: Potentials of the output neurons.
        target: Class of each sample, at all steps or at each.
        on_target: Potential wanted of the right class.
        off_target: Potential wanted of the others.
        weight: Weight of each class, [C], by which a sample's loss is multiplied.
        reduction: 'mean', 'sum' or 'none' over samples and classes.
    Shape:
        v_seq: [T, N, C]; target: [N] or [T, N]; output: a number, or [N, C].
    Raises:
        TypeError: An argument is no tensor.
        ValueError: The shapes do not fit, or the reduction is unknown.

    Example:
        >>> membrane_mse(torch.tensor([[[0.5, 0.0]], [[1.0, 0.0]]]), torch.tensor([0]))
        tensor(0.0625)
    """
    check_labels("membrane_mse", v_seq, target[0] if target.dim() == 2 else target)
    if target.dim() == 2 and target.shape != v_seq.shape[:2]:
        raise ValueError(
            f"membrane_mse takes a label for each of the {v_seq.shape[0]} steps and "
            f"{v_seq.shape[1]} samples, [T, N], got {list(target.shape)}"
        )
    labels = target.long().expand(v_seq.shape[:2])
    hit = F.one_hot(labels, v_seq.shape[-1]).bool()
    wanted = torch.where(hit, float(on_target), float(off_target)).to(v_seq.dtype)
    losses = weighted((v_seq - wanted).square(), labels, weight).mean(0)
    return reduced(losses, reduction)
