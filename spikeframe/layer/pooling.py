"""Pooling and unpooling over steps or sequences."""

from torch import Tensor, nn

from .. import kernels
from .wrapper import StatelessLayer

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]

Size = int | tuple[int, ...]
# What is adapted may be left as it is by None, in one dimension or in all.
OutputSize = int | None | tuple[int | None, ...]


class _Lines(StatelessLayer):
    """Pools [N, C, L]."""

    shapes = ("[N, C, L]", "[C, L]")


class _Planes(StatelessLayer):
    """Pools [N, C, H, W]."""

    shapes = ("[N, C, H, W]", "[C, H, W]")


class _Volumes(StatelessLayer):
    """Pools [N, C, D, H, W]."""

    shapes = ("[N, C, D, H, W]", "[C, D, H, W]")


class _MaxPool(StatelessLayer):
    """The constructor of torch's max pools."""

    keeps_spikes = True

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
        *,
        step_mode: str = "s",
    ) -> None:
        window = (kernel_size, stride, padding, dilation)
        super().__init__(*window, return_indices, ceil_mode, step_mode=step_mode)


class _AvgPool(StatelessLayer):
    """The constructor of torch's average pools of two and three dimensions."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        step_mode: str = "s",
    ) -> None:
        count = (ceil_mode, count_include_pad, divisor_override)
        super().__init__(kernel_size, stride, padding, *count, step_mode=step_mode)


class _AdaptiveAvgPool(StatelessLayer):
    """The constructor of torch's adaptive average pools."""

    def __init__(self, output_size: OutputSize, *, step_mode: str = "s") -> None:
        super().__init__(output_size, step_mode=step_mode)


class _AdaptiveMaxPool(StatelessLayer):
    """The constructor of torch's adaptive max pools."""

    keeps_spikes = True

    def __init__(
        self, output_size: OutputSize, return_indices: bool = False, *, step_mode: str = "s"
    ) -> None:
        super().__init__(output_size, return_indices, step_mode=step_mode)


class _MaxUnpool(StatelessLayer):
    """The constructor of torch's inverses of max pools."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        *,
        step_mode: str = "s",
    ) -> None:
        super().__init__(kernel_size, stride, padding, step_mode=step_mode)


class MaxPool1d(_MaxPool, _Lines, nn.MaxPool1d):
    """``torch.nn.MaxPool1d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, L] or [C, L] when step_mode is 's', [T, N, C, L] when it is 'm'.
    """


class _SideBySide(nn.MaxPool2d):
    """torch's max pool, by a kernel of our own where windows lie side by side."""

    def forward(self, input: Tensor) -> Tensor:
        """The largest of each window."""
        window = _pair(self.kernel_size)
        plain = _pair(self.padding) == (0, 0) and _pair(self.dilation) == (1, 1)
        if not plain or _pair(self.stride) != window or self.return_indices or self.ceil_mode:
            pooled: Tensor = super().forward(input)
            return pooled
        return kernels.max_pool2d(input, window)


class MaxPool2d(_MaxPool, _Planes, _SideBySide):
    """``torch.nn.MaxPool2d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, H, W] or [C, H, W] when step_mode is 's', [T, N, C, H, W] when it
            is 'm'. The indices, if asked for, likewise.

    Example:
        >>> import torch
        >>> pool = MaxPool2d(2, step_mode="m")
        >>> pool(torch.zeros(4, 1, 8, 6, 6)).shape
        torch.Size([4, 1, 8, 3, 3])
    """


class MaxPool3d(_MaxPool, _Volumes, nn.MaxPool3d):
    """``torch.nn.MaxPool3d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, D, H, W] or [C, D, H, W] when step_mode is 's', [T, N, C, D, H, W]
            when it is 'm'.
    """


class AvgPool1d(_Lines, nn.AvgPool1d):
    """``torch.nn.AvgPool1d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, L] or [C, L] when step_mode is 's', [T, N, C, L] when it is 'm'.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        step_mode: str = "s",
    ) -> None:
        count = (ceil_mode, count_include_pad)
        super().__init__(kernel_size, stride, padding, *count, step_mode=step_mode)


class AvgPool2d(_AvgPool, _Planes, nn.AvgPool2d):
    """``torch.nn.AvgPool2d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, H, W] or [C, H, W] when step_mode is 's', [T, N, C, H, W] when it
            is 'm'.
    """


class AvgPool3d(_AvgPool, _Volumes, nn.AvgPool3d):
    """``torch.nn.AvgPool3d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, D, H, W] or [C, D, H, W] when step_mode is 's', [T, N, C, D, H, W]
            when it is 'm'.
    """


class AdaptiveAvgPool1d(_AdaptiveAvgPool, _Lines, nn.AdaptiveAvgPool1d):
    """``torch.nn.AdaptiveAvgPool1d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, L] or [C, L] when step_mode is 's', [T, N, C, L] when it is 'm'.
    """


class AdaptiveAvgPool2d(_AdaptiveAvgPool, _Planes, nn.AdaptiveAvgPool2d):
    """``torch.nn.AdaptiveAvgPool2d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, H, W] or [C, H, W] when step_mode is 's', [T, N, C, H, W] when it
            is 'm'.
    """


class AdaptiveAvgPool3d(_AdaptiveAvgPool, _Volumes, nn.AdaptiveAvgPool3d):
    """``torch.nn.AdaptiveAvgPool3d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, output: [N, C, D, H, W] or [C, D, H, W] when step_mode is 's', [T, N, C, D, H, W]
            when it is 'm'.
    """


class AdaptiveMaxPool1d(_AdaptiveMaxPool, _Lines, nn.AdaptiveMaxPool1d):
    """``torch.nn.AdaptiveMaxPool1d`` with step modes; shapes as :class:`AdaptiveAvgPool1d`."""


class AdaptiveMaxPool2d(_AdaptiveMaxPool, _Planes, nn.AdaptiveMaxPool2d):
    """``torch.nn.AdaptiveMaxPool2d`` with step modes; shapes as :class:`AdaptiveAvgPool2d`."""


class AdaptiveMaxPool3d(_AdaptiveMaxPool, _Volumes, nn.AdaptiveMaxPool3d):
    """``torch.nn.AdaptiveMaxPool3d`` with step modes; shapes as :class:`AdaptiveAvgPool3d`."""


class MaxUnpool1d(_MaxUnpool, _Lines, nn.MaxUnpool1d):
    """``torch.nn.MaxUnpool1d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, indices, output: [N, C, L] or [C, L] when step_mode is 's', [T, N, C, L] when it
            is 'm'.
        output_size: [L], or that of the whole output.
    """


class MaxUnpool2d(_MaxUnpool, _Planes, nn.MaxUnpool2d):
    """``torch.nn.MaxUnpool2d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, indices, output: [N, C, H, W] or [C, H, W] when step_mode is 's', [T, N, C, H, W]
            when it is 'm'.
        output_size: [H, W], or that of the whole output.

    Example:
        >>> import torch
        >>> pool = MaxPool2d(2, return_indices=True, step_mode="m")
        >>> unpool = MaxUnpool2d(2, step_mode="m")
        >>> unpool(*pool(torch.rand(4, 1, 8, 6, 6))).shape
        torch.Size([4, 1, 8, 6, 6])
    """


class MaxUnpool3d(_MaxUnpool, _Volumes, nn.MaxUnpool3d):
    """``torch.nn.MaxUnpool3d`` with step modes; its arguments, and ``step_mode``.

    Shape:
        input, indices, output: [N, C, D, H, W] or [C, D, H, W] when step_mode is 's',
            [T, N, C, D, H, W] when it is 'm'.
        output_size: [D, H, W], or that of the whole output.
    """


def _pair(size: Size) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    height, width = size if len(size) == 2 else (size[0], size[0])
    return height, width
