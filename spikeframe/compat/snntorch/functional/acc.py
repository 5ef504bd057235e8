"""snnTorch's accuracies."""

import numpy as np
from torch import Tensor

from .... import functional

__all__ = ["accuracy_rate", "accuracy_temporal"]


def accuracy_rate(
    spk_out: Tensor,
    targets: Tensor,
    population_code: bool = False,
    num_classes: int | bool = False,
) -> np.float64:
    """The share of samples whose class fires most: :func:`spikeframe.functional.rate_accuracy`.

    Example:
        >>> import torch
        >>> float(accuracy_rate(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.tensor([0, 0])))
        0.5
    """
    if population_code:
        spk_out = functional.population_sum(spk_out, num_classes)
    return np.float64(functional.rate_accuracy(spk_out, targets))


def accuracy_temporal(spk_out: Tensor, targets: Tensor) -> np.float64:
    """The share of samples whose class fires first."""
    return np.float64(functional.first_spike_accuracy(spk_out, targets))
