"""Noise as a second input of a neuron, and noise of any colour."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .base_node import BaseNode
from .parameter import Scalar, check_finite

__all__ = ["Noisy", "powerlaw_noise"]


class Noisy(BaseNode):
    r"""Mixin: a neuron whose input current is disturbed by noise, its second input.

    .. math::
        X'[t] = X[t] + \sigma \xi[t]

    Noise that comes from outside can be repeated, be of any colour, be shared by neurons, and is
    part of a fused kernel. A call without it is a call without noise.

    Arguments:
        args, kwargs: Of the class it is mixed into.
        sigma: Amplitude of the noise :math:`\sigma`; a number, tensor or nn.Parameter.
    Shape:
        input, noise, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    References:
        | Neuronal Dynamics (Gerstner, Kistler, Naud, Paninski, 2014), chapter 8
        | https://neuronaldynamics.epfl.ch/online/Ch8.html

    Example:
        >>> from spikeframe import neuron
        >>> class NoisyLIFNode(neuron.Noisy, neuron.LIFNode):
        ...     pass
        >>> node = NoisyLIFNode(sigma=0.5, step_mode="m")
        >>> x_seq = torch.ones(8, 3)
        >>> node(x_seq, torch.randn(8, 3)).shape
        torch.Size([8, 3])
    """

    sigma: Scalar

    def __init__(self, *args: Any, sigma: Scalar = 0.5, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_parameter("sigma", sigma)

    def neuronal_charge(self, x: Tensor, noise: Tensor | None = None) -> None:
        """Charge by the disturbed input."""
        super().neuronal_charge(x if noise is None else x + self.sigma * noise)


def powerlaw_noise(
    size: Sequence[int],
    exponent: float = 0.0,
    *,
    fmin: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Gaussian noise over time whose power falls with frequency as :math:`1 / f^{exponent}`.

    White noise is 0, pink 1, brown 2. Every value has mean 0 and variance 1.

    Arguments:
        size: [T, \*].
        exponent: The power law.
        fmin: Frequency below which the spectrum is flat, in cycles per step, 0 to 0.5.
        generator: Where the random numbers come from; torch's own by default.
    Raises:
        ValueError: exponent is not finite, fmin is out of range, or T is less than 2.
    References:
        | On Generating Power Law Noise (Timmer, König, 1995)
        | https://ui.adsabs.harvard.edu/abs/1995A&A...300..707T

    Example:
        >>> powerlaw_noise((100, 3), exponent=1.0).shape
        torch.Size([100, 3])
    """
    check_finite("exponent", exponent)
    steps = size[0]
    if steps < 2:
        raise ValueError(f"noise over time needs at least 2 steps, got size={tuple(size)}")
    if not 0.0 <= fmin <= 0.5:
        raise ValueError(f"fmin must be from 0 to 0.5 cycles per step, got {fmin}")
    frequency = torch.fft.rfftfreq(steps, dtype=torch.float64)
    scale = frequency.clamp(min=max(fmin, 1.0 / steps)) ** (-exponent / 2)
    real, imaginary = torch.randn(
        (2, len(scale), *size[1:]), generator=generator, dtype=torch.float64
    )
    # What stands for itself alone (frequency 0, and 0.5 where there is one) is real.
    alone = [0] if steps % 2 else [0, -1]
    real[alone] *= math.sqrt(2.0)
    imaginary[alone] = 0.0
    spectrum = torch.complex(real, imaginary) * scale.reshape(-1, *[1] * (len(size) - 1))
    # Each other frequency stands for its negative, too.
    times = torch.full_like(scale, 4.0)
    times[alone] = 2.0
    deviation = (times * scale**2).sum().sqrt() / steps
    return (torch.fft.irfft(spectrum, n=steps, dim=0) / deviation).to(torch.get_default_dtype())
