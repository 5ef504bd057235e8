"""snnTorch's regularisers."""

from torch import Tensor

from .... import functional

__all__ = ["l1_rate_sparsity"]


class l1_rate_sparsity:
    """The number of spikes times a factor.

    Arguments:
        Lambda: The factor.

    Example:
        >>> import torch
        >>> l1_rate_sparsity(0.5)(torch.ones(2, 3))
        tensor(3.)
    """

    def __init__(self, Lambda: float = 1e-5) -> None:
        self.Lambda = Lambda
        self.__name__ = "l1_rate_sparsity"

    def __call__(self, spk_out: Tensor) -> Tensor:
        return self.Lambda * functional.spike_count_penalty(spk_out)
