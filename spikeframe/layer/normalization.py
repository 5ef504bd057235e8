"""Batch and group normalisation over steps or sequences."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm as _TorchBatchNorm

from .wrapper import StatelessLayer

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm"]


class _BatchNorm(StatelessLayer, _TorchBatchNorm):
    """Statistics over time and batch: T N samples, however the sequence is stored."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
        step_mode: str = "s",
    ) -> None:
        rest = (affine, track_running_stats, device, dtype)
        super().__init__(
            num_features, eps, momentum, *rest, **_bias_option(bias), step_mode=step_mode
        )

    def computes_once(self, x_seq: Tensor) -> bool:
        """Not where a step has one value per channel, of which torch takes no statistics."""
        uses_batch_statistics = self.training or self.running_mean is None
        return _values_per_channel(x_seq[0]) > 1 or not uses_batch_statistics

    def repeated_step_forward(self, steps: int, x: Tensor, *others: Any, **kwargs: Any) -> Tensor:
        """Normalise one step, and track the statistics of ``steps`` times as many samples."""
        tracked = self.training and self.track_running_stats
        if not tracked or self.running_mean is None or self.running_var is None:
            return super().repeated_step_forward(steps, x)
        mean, var = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        # A momentum of 1 makes torch write the statistics of this step into the two.
        y = F.batch_norm(x, mean, var, self.weight, self.bias, True, 1.0, self.eps)
        n = _values_per_channel(x)
        # The variance counts n - 1 of n samples; of the sequence it is steps * n - 1.
        var = var * (steps * (n - 1) / (steps * n - 1))  # not in place: the backward has saved it
        momentum = self._count_batch()
        self.running_mean.mul_(1 - momentum).add_(mean, alpha=momentum)
        self.running_var.mul_(1 - momentum).add_(var, alpha=momentum)
        return y

    def _count_batch(self) -> float:
        """Count one more batch; return its weight in the running statistics."""
        batches = self.num_batches_tracked
        if batches is not None:
            batches.add_(1)
        if self.momentum is not None:
            return self.momentum
        return 0.0 if batches is None else 1.0 / float(batches)


class BatchNorm1d(_BatchNorm, nn.BatchNorm1d):
    """``torch.nn.BatchNorm1d`` with step modes; its arguments, and ``step_mode``.

    With step_mode 'm' the statistics are taken over time and batch together.

    Shape:
        input, output: [N, C] or [N, C, L] when step_mode is 's', [T, N, C] or [T, N, C, L] when
            it is 'm'.
    """

    shapes = ("[N, C]", "[N, C, L]")


class BatchNorm2d(_BatchNorm, nn.BatchNorm2d):
    """``torch.nn.BatchNorm2d`` with step modes; its arguments, and ``step_mode``.

    With step_mode 'm' the statistics are taken over time and batch together, so that training
    step by step ('s') is another computation: its statistics are those of each step.

    Shape:
        input, output: [N, C, H, W] when step_mode is 's', [T, N, C, H, W] when it is 'm'.
    References:
        | Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
          Shift (Ioffe, Szegedy, 2015)
        | https://arxiv.org/abs/1502.03167

    Example:
        >>> norm = BatchNorm2d(8, step_mode="m")
        >>> norm(torch.rand(4, 1, 8, 3, 3)).shape
        torch.Size([4, 1, 8, 3, 3])
    """

    shapes = ("[N, C, H, W]",)


class BatchNorm3d(_BatchNorm, nn.BatchNorm3d):
    """``torch.nn.BatchNorm3d`` with step modes; its arguments, and ``step_mode``.

    With step_mode 'm' the statistics are taken over time and batch together.

    Shape:
        input, output: [N, C, D, H, W] when step_mode is 's', [T, N, C, D, H, W] when it is 'm'.
    """

    shapes = ("[N, C, D, H, W]",)


class GroupNorm(StatelessLayer, nn.GroupNorm):
    r"""``torch.nn.GroupNorm`` with step modes; its arguments, and ``step_mode``.

    The statistics are those of each sample at each step, in both modes.

    Shape:
        input, output: [N, C, \*] when step_mode is 's', [T, N, C, \*] when it is 'm'.
    References:
        | Group Normalization (Wu, He, 2018)
        | https://arxiv.org/abs/1803.08494
    """

    shapes = ("[N, C, *]",)

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
        step_mode: str = "s",
    ) -> None:
        rest = (affine, device, dtype)
        super().__init__(
            num_groups, num_channels, eps, *rest, **_bias_option(bias), step_mode=step_mode
        )


def _bias_option(bias: bool) -> dict[str, bool]:
    """Passed on where it says something: not every torch that we allow knows the argument."""
    return {} if bias else {"bias": bias}


def _values_per_channel(x: Tensor) -> int:
    return x.numel() // x.shape[1]
