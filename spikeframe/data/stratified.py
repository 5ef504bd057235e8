"""Parts of a data set with the same share of every class."""

__all__ = ["first_of_each_class", "stratified"]

import torch
from torch import Tensor


def stratified(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Take a share of each class by chance; what stays and what is taken, each in its old order.

    Arguments:
        labels: Class of each sample, [N].
        share: Part of each class that is taken, rounded, at least one of it and never all.
        seed: What decides which ones.

    Raises:
        ValueError: the share is not between 0 and 1, or a class has a single sample.

    Example:
        >>> stays, taken = stratified(torch.tensor([0, 1, 0, 1, 0, 1]), 1 / 3, seed=0)
        >>> taken.sort().values.equal(taken), len(stays), len(taken)
        (True, 4, 2)
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return _first(labels, order, share)


def first_of_each_class(labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Take the first ones of each class; otherwise as :func:`stratified`."""
    return _first(labels, torch.arange(len(labels)), share)


def _first(labels: Tensor, order: Tensor, share: float) -> tuple[Tensor, Tensor]:
    if not 0 < share < 1:
        raise ValueError(f"a share must lie between 0 and 1, got {share!r}")
    taken = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = order[labels[order] == label]
        if len(members) < 2:
            raise ValueError(
                f"class {int(label)} has a single sample, which cannot be shared out: leave the "
                "set whole (--validation 0)"
            )
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        taken[members[:count]] = True
    return (~taken).nonzero().flatten(), taken.nonzero().flatten()
