"""snnTorch's quantiser of states."""

from ....functional import LevelQuantizer, exponential_levels, uniform_levels

__all__ = ["state_quant"]


def state_quant(
    num_bits: int = 8,
    uniform: bool = True,
    thr_centered: bool = True,
    threshold: float = 1,
    lower_limit: float = 0,
    upper_limit: float = 0.2,
    multiplier: float | None = None,
) -> LevelQuantizer:
    """A quantiser for ``state_quant=``: levels evenly spaced, or denser at the threshold or 0.

    Example:
        >>> import torch
        >>> state_quant(num_bits=2, upper_limit=0)(torch.tensor([0.2, 0.9]))
        tensor([0.3333, 1.0000])
    """
    limits = (num_bits, threshold, lower_limit, upper_limit)
    if uniform:
        return LevelQuantizer(uniform_levels(*limits))
    centre = threshold if thr_centered else 0.0
    return LevelQuantizer(exponential_levels(*limits, centre=centre, ratio=multiplier))
