"""Rate coding: independent random spikes whose probability is the input."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .check import (
    check_draw,
    check_floating,
    check_generator,
    check_number,
    check_steps,
    check_within,
    in_precision,
)
from .encoder import StatelessEncoder

__all__ = ["PoissonEncoder", "rate"]


def rate(
    x: Tensor,
    T: int,
    *,
    gain: float = 1.0,
    offset: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Encode each value as random spikes of that probability at each of T steps.

    .. math::
        P(S[t] = 1) = \min(\max(gain \cdot x + offset, 0), 1)

    Gradients do not flow through it. The check for nan waits for the device. For an input that
    changes over time, use ``PoissonEncoder(step_mode='m')``.

    Arguments:
        x: Floats; what exceeds [0, 1] after gain and offset is clamped.
        T: Number of time steps.
        gain: Factor of the input.
        offset: Added to the scaled input: a background rate, in spikes per step.
        generator: Where the random numbers come from; torch's own by default.
    Shape:
        x: [N, \*] of any rank; output: [T, N, \*], in the dtype of x.
    Raises:
        TypeError: x is not a tensor of floats, or another argument is of another type.
        ValueError: T is not a positive int, gain or offset is not finite, or x has nan.
        RuntimeError: The generator is on another device, or runs in a recomputation.
    References:
        | Training Spiking Neural Networks Using Lessons From Deep Learning
        | (Eshraghian et al., 2023)
        | https://arxiv.org/abs/2109.12894

    Example:
        >>> x = torch.tensor([0.0, 0.5, 1.0])
        >>> s_seq = rate(x, 1000, generator=torch.Generator().manual_seed(0))
        >>> s_seq.shape, s_seq.mean(0).round(decimals=1)
        (torch.Size([1000, 3]), tensor([0.0000, 0.5000, 1.0000]))
    """
    check_steps("T", T)
    check_floating("rate", x)
    check_generator(generator)
    p = in_precision(x) * check_number("gain", gain) + check_number("offset", offset)
    if bool(p.isnan().any()):
        raise ValueError(
            "rate takes values for which x * gain + offset is a number, got nan: for example "
            "x.nan_to_num()"
        )
    # No clamp is needed: the random numbers compared with are within [0, 1).
    return _below(p, (T, *x.shape), generator).to(x.dtype)


class PoissonEncoder(StatelessEncoder):
    r"""Encode each value as a random spike of that probability, independently at every call.

    .. math::
        P(S[t] = 1) = X[t]

    An input of 0 never fires and one of 1 always does. (SpikingJelly compares with <=, where 0
    fires once in :math:`2^{24}` draws; otherwise the draws are the same from the same seed.)
    With step_mode 'm' the input is a sequence already: put :class:`Direct` before it to repeat an
    image. Gradients do not flow through it. The check of the range waits for the device.

    Arguments:
        step_mode: 's' for one step per call, 'm' for a sequence; both are encoded elementwise.
        generator: Where the random numbers come from; torch's own by default.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'; floats.
    Raises:
        TypeError: The input is not a tensor of floats, or the generator is none.
        ValueError: A value is outside of [0, 1] or nan.
        RuntimeError: The generator is on another device, or runs in a recomputation.

    Example:
        >>> encoder = PoissonEncoder(generator=torch.Generator().manual_seed(0))
        >>> encoder(torch.tensor([0.0, 0.2, 1.0]))
        tensor([0., 0., 1.])
    """

    def __init__(self, step_mode: str = "s", generator: torch.Generator | None = None) -> None:
        super().__init__(step_mode)
        self.generator = check_generator(generator)

    def forward(self, x: Tensor) -> Tensor:
        """Draw a spike for every element."""
        check_floating("PoissonEncoder", x)
        check_within(
            "PoissonEncoder",
            x,
            1.0,
            "[0, 1], the probabilities of a spike",
            "rescale the input (after normalising by mean and deviation it is no probability), or "
            "use encoding.rate, which clamps",
        )
        return _below(in_precision(x), x.shape, self.generator).to(x.dtype)


def _below(p: Tensor, shape: Sequence[int], generator: torch.Generator | None) -> Tensor:
    """Whether uniform draws from [0, 1) are below ``p``."""
    check_draw(generator, p.device)
    return torch.rand(shape, generator=generator, dtype=p.dtype, device=p.device) < p
