"""Convolutions and transposed convolutions over steps or sequences."""

from typing import Any

from torch import nn

from .wrapper import StatelessLayer

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]

Size = int | tuple[int, ...]


class _Convolution(StatelessLayer):
    """The constructor of torch's convolutions."""

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
        step_mode: str = "s",
    ) -> None:
        window = (kernel_size, stride, padding, dilation, groups)
        rest = (bias, padding_mode, device, dtype)
        super().__init__(in_channels, out_channels, *window, *rest, step_mode=step_mode)


class _TransposedConvolution(StatelessLayer):
    """The constructor of torch's transposed convolutions."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        step_mode: str = "s",
    ) -> None:
        window = (kernel_size, stride, padding, output_padding, groups)
        rest = (bias, dilation, padding_mode, device, dtype)
        super().__init__(in_channels, out_channels, *window, *rest, step_mode=step_mode)


class Conv1d(_Convolution, nn.Conv1d):
    """``torch.nn.Conv1d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, L] or [C, L] when step_mode is 's', [T, N, C, L] when it is 'm'.
    """

    shapes = ("[N, C, L]", "[C, L]")


class Conv2d(_Convolution, nn.Conv2d):
    """``torch.nn.Conv2d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, H, W] or [C, H, W] when step_mode is 's', [T, N, C, H, W] when it
            is 'm'.

    Example:
        >>> import torch
        >>> conv = Conv2d(2, 8, kernel_size=3, step_mode="m")
        >>> conv(torch.zeros(4, 1, 2, 9, 9)).shape
        torch.Size([4, 1, 8, 7, 7])
    """

    shapes = ("[N, C, H, W]", "[C, H, W]")


class Conv3d(_Convolution, nn.Conv3d):
    """``torch.nn.Conv3d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, D, H, W] or [C, D, H, W] when step_mode is 's', [T, N, C, D, H, W]
            when it is 'm'.
    """

    shapes = ("[N, C, D, H, W]", "[C, D, H, W]")


class ConvTranspose1d(_TransposedConvolution, nn.ConvTranspose1d):
    """``torch.nn.ConvTranspose1d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, L] or [C, L] when step_mode is 's', [T, N, C, L] when it is 'm'.
        output_size: [L], or that of the whole output.
    """

    shapes = ("[N, C, L]", "[C, L]")


class ConvTranspose2d(_TransposedConvolution, nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, H, W] or [C, H, W] when step_mode is 's', [T, N, C, H, W] when it
            is 'm'.
        output_size: [H, W], or that of the whole output.

    Example:
        >>> import torch
        >>> up = ConvTranspose2d(2, 1, kernel_size=2, stride=2, step_mode="m")
        >>> up(torch.zeros(4, 1, 2, 3, 3), output_size=[7, 6]).shape
        torch.Size([4, 1, 1, 7, 6])
    """

    shapes = ("[N, C, H, W]", "[C, H, W]")


class ConvTranspose3d(_TransposedConvolution, nn.ConvTranspose3d):
    """``torch.nn.ConvTranspose3d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, D, H, W] or [C, D, H, W] when step_mode is 's', [T, N, C, D, H, W]
            when it is 'm'.
        output_size: [D, H, W], or that of the whole output.
    """

    shapes = ("[N, C, D, H, W]", "[C, D, H, W]")
