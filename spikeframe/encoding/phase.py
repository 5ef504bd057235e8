"""Weighted phase coding: a value's binary digits, one per step."""

import math

import torch
from torch import Tensor

from .check import check_floating, check_steps, check_within
from .encoder import StatefulEncoder

__all__ = ["WeightedPhaseEncoder", "weighted_phase"]

BELOW_ONE = math.nextafter(1.0, 0.0)


def weighted_phase(x: Tensor, K: int) -> Tensor:
    r"""Encode each value as its first K binary digits, the most significant first.

    .. math::
        x = \sum_{k=1}^{K} 2^{-k} S[k - 1]

    Exact for multiples of :math:`2^{-K}`; other values are rounded down to one. Gradients do not
    flow through it. The check of the range waits for the device.

    Arguments:
        x: Floats within [0, 1 - 2**-K].
        K: Number of phases, in time steps.
    Shape:
        x: [N, \*] of any rank; output: [K, N, \*], in the dtype of x.
    Raises:
        TypeError: x is not a tensor of floats.
        ValueError: K is not a positive int, or a value is outside of the range or nan.
    References:
        | Deep neural networks with weighted spikes (Kim et al., 2018)
        | https://research.ibm.com/publications/deep-neural-networks-with-weighted-spikes

    Example:
        >>> weighted_phase(torch.tensor([0.75, 0.0625, 0.5]), K=4)
        tensor([[1., 0., 1.],
                [1., 0., 0.],
                [0., 0., 0.],
                [0., 1., 0.]])
    """
    check_steps("K", K)
    check_floating("weighted_phase", x)
    # Beyond 53 digits 1 - 2**-K rounds to 1 itself, which K digits cannot write.
    high = min(1.0 - 2.0**-K, BELOW_ONE)
    remedy = f"rescale the input, or limit it with x.clamp(0, 1 - 2**-{K})"
    check_within("weighted_phase", x, high, f"[0, 1 - 2**-{K}] = [0, {high}]", remedy)
    return torch.stack(_digits(x.detach(), K))


class WeightedPhaseEncoder(StatefulEncoder):
    r"""Encode each value as its first K binary digits and play them back, one phase per step.

    The same code as :func:`weighted_phase`, whose equation is here too. The receiving layer
    weights phase k by :math:`2^{-(1 + k \bmod K)}`.

    Arguments:
        K: Number of phases, in time steps.
        step_mode: 's' for one step per call, 'm' for a sequence that repeats the input.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'; floats.
    State:
        spike, t, encoded: those of :class:`StatefulEncoder`.
    Raises:
        TypeError: The input is not a tensor of floats.
        ValueError: K is not a positive int, a value is outside of [0, 1 - 2**-K] or nan, or the
            input changes before a reset.
    References:
        | Deep neural networks with weighted spikes (Kim et al., 2018)
        | https://research.ibm.com/publications/deep-neural-networks-with-weighted-spikes

    Example:
        >>> encoder, x = WeightedPhaseEncoder(K=3), torch.tensor([0.625])
        >>> [encoder(x).item() for _ in range(3)]
        [1.0, 0.0, 1.0]
    """

    def __init__(self, K: int, step_mode: str = "s") -> None:
        super().__init__(check_steps("K", K), step_mode)

    def single_step_encode(self, x: Tensor) -> Tensor:
        """The digits of all K phases."""
        return weighted_phase(x, self.T)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"K={self.T}, step_mode={self.step_mode!r}"


def _digits(rest: Tensor, K: int) -> list[Tensor]:
    """The binary digits of numbers within [0, 1); every step of it is exact in any dtype."""
    digits = []
    for _ in range(K):
        rest = rest * 2.0
        digit = (rest >= 1.0).to(rest.dtype)
        rest = rest - digit
        digits.append(digit)
    return digits
