r"""Layers whose weights are standardised anew at every call.

.. math::
    \hat W_o = g_o \frac{W_o - \bar W_o}{\sqrt{n \operatorname{Var}(W_o) + \epsilon}}

:math:`W_o` are the :math:`n` weights of the output :math:`o`, Var their unbiased variance,
:math:`g_o` a learned gain.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .convolution import Conv2d, Size
from .dense import EventLinear, Linear

__all__ = ["WSConv2d", "WSLinear"]


class _StandardisedWeight(nn.Module):
    """What both share: the gain and the weight."""

    weight: Tensor
    gain: nn.Parameter | None
    eps: float

    def _add_gain(self, gain: bool, eps: float) -> None:
        shape = (self.weight.shape[0], *[1] * (self.weight.dim() - 1))
        self.gain = nn.Parameter(self.weight.new_ones(shape)) if gain else None
        self.eps = eps

    def get_weight(self) -> Tensor:
        """The weight that is applied."""
        per_output = tuple(range(1, self.weight.dim()))
        var, mean = torch.var_mean(self.weight, per_output, keepdim=True)
        weight = (self.weight - mean) / (var * self.weight[0].numel() + self.eps).sqrt()
        return weight if self.gain is None else weight * self.gain


class _Conv2d(_StandardisedWeight, nn.Conv2d):
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(input, self.get_weight(), bias)


class _Linear(_StandardisedWeight, EventLinear):
    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.get_weight(), self.bias)


class WSConv2d(Conv2d, _Conv2d):
    """:class:`Conv2d` with standardised weights; its arguments, then ``gain`` and ``eps``.

    Arguments:
        gain: Learn a gain per output channel, at first 1.
        eps: Added to the variance.
    Shape:
        input, output: [N, C, H, W] or [C, H, W] when step_mode is 's', [T, N, C, H, W] when it
            is 'm'.
    References:
        | High-Performance Large-Scale Image Recognition Without Normalization (Brock et al., 2021)
        | https://arxiv.org/abs/2102.06171

    Example:
        >>> WSConv2d(2, 8, 3, step_mode="m")(torch.zeros(4, 1, 2, 9, 9)).shape
        torch.Size([4, 1, 8, 7, 7])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: str | Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        gain: bool = True,
        eps: float = 1e-4,
        step_mode: str = "s",
    ) -> None:
        window = (kernel_size, stride, padding, dilation, groups)
        rest = (bias, padding_mode, device, dtype)
        super().__init__(in_channels, out_channels, *window, *rest, step_mode=step_mode)
        self._add_gain(gain, eps)


class WSLinear(Linear, _Linear):
    r""":class:`Linear` with standardised weights; its arguments, then ``gain`` and ``eps``.

    Arguments:
        gain: Learn a gain per output feature, at first 1.
        eps: Added to the variance.
    Shape:
        input: [N, \*, F_in] or [F_in] when step_mode is 's', [T, N, \*, F_in] when it is 'm'.
        output: likewise, with F_out.

    Example:
        >>> WSLinear(3, 5, step_mode="m")(torch.zeros(4, 2, 3)).shape
        torch.Size([4, 2, 5])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        gain: bool = True,
        eps: float = 1e-4,
        step_mode: str = "s",
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype, step_mode=step_mode)
        self._add_gain(gain, eps)
