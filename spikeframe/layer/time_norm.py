r"""Batch normalisation that knows of thresholds and of time steps.

.. math::
    \hat X = \frac{X - \mu}{\sqrt{\sigma^2 + \epsilon}}

:math:`\mu, \sigma^2` are the mean and the variance of each channel: over time and batch, but for
:class:`BatchNormThroughTime2d`, over the batch of one step.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as _TorchBatchNorm

from ..base import MemoryModule
from ..base.entry import fold
from ..base.location import Location, check_sequences
from ..functional.sequence import unfold
from .normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .wrapper import check_rank

__all__ = [
    "BatchNormThroughTime1d",
    "BatchNormThroughTime2d",
    "BatchNormThroughTime3d",
    "TemporalEffectiveBatchNorm1d",
    "TemporalEffectiveBatchNorm2d",
    "TemporalEffectiveBatchNorm3d",
    "ThresholdDependentBatchNorm1d",
    "ThresholdDependentBatchNorm2d",
    "ThresholdDependentBatchNorm3d",
]


class _ThresholdDependent(_TorchBatchNorm):
    """The constructor, and where the weight starts."""

    def __init__(
        self, alpha: float, v_th: float, *args: Any, step_mode: str = "m", **kwargs: Any
    ) -> None:
        # First, as torch's constructor sets the weight.
        self.alpha, self.v_th = alpha, v_th
        super().__init__(*args, **{"step_mode": step_mode, **kwargs})
        if not self.affine:
            raise ValueError(
                f"{type(self).__name__} learns a weight that starts at alpha * v_th, so affine "
                f"must be True; without one use {type(self).__name__[-11:]}"
            )

    def reset_parameters(self) -> None:
        """Set the weight to alpha * v_th, the bias to 0, and forget the statistics."""
        super().reset_parameters()
        if self.affine:
            nn.init.constant_(self.weight, self.alpha * self.v_th)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"alpha={self.alpha}, v_th={self.v_th}, {super().extra_repr()}"


class ThresholdDependentBatchNorm1d(_ThresholdDependent, BatchNorm1d):
    """:class:`ThresholdDependentBatchNorm2d` for vectors and lines.

    Shape:
        input, output: [T, N, C] or [T, N, C, L] when step_mode is 'm', [N, C] or [N, C, L] when
            it is 's'.
    """


class ThresholdDependentBatchNorm2d(_ThresholdDependent, BatchNorm2d):
    r"""Batch norm whose output has the scale of a threshold at first (tdBN).

    .. math::
        Y = \lambda \hat X + \beta, \quad \lambda \text{ starts at } \alpha V_{th}

    Statistics are those of all steps of a sequence; step by step ('s') they are, in training,
    those of each step.

    Arguments:
        alpha: Scale besides the threshold; :math:`1 / \sqrt 2` where two branches are added.
        v_th: Threshold of the neurons behind, in units of their membrane potential.
        args: As :class:`BatchNorm2d` takes them: ``num_features``, ``eps``, ``momentum``, ...
        step_mode: 'm' for a sequence, 's' for one step per call.
        kwargs: Likewise.
    Shape:
        input, output: [T, N, C, H, W] when step_mode is 'm', [N, C, H, W] when it is 's'.
    Raises:
        ValueError: ``affine`` is False.
    References:
        | Going Deeper With Directly-Trained Larger Spiking Neural Networks (Zheng et al., 2021)
        | https://arxiv.org/abs/2011.05280

    Example:
        >>> norm = ThresholdDependentBatchNorm2d(0.5, 1.0, 8)
        >>> norm.weight.detach()[:2], norm(torch.rand(4, 1, 8, 3, 3)).shape
        (tensor([0.5000, 0.5000]), torch.Size([4, 1, 8, 3, 3]))
    """


class ThresholdDependentBatchNorm3d(_ThresholdDependent, BatchNorm3d):
    """:class:`ThresholdDependentBatchNorm2d` for volumes.

    Shape:
        input, output: [T, N, C, D, H, W] when step_mode is 'm', [N, C, D, H, W] when it is 's'.
    """


class _Counting(MemoryModule):
    """Counts the steps since the reset, of which there are T at most."""

    shapes: ClassVar[tuple[str, ...]]
    T: int
    t: int

    def _set_steps(self, T: int, step_mode: str) -> None:
        if isinstance(T, bool) or not isinstance(T, int) or T < 1:
            raise ValueError(f"T must be an int of at least 1, the number of steps, got {T!r}")
        self.T = T
        self.register_memory("t", 0)
        self.step_mode = step_mode

    def forward(self, x: Tensor) -> Tensor:
        """One step or a sequence, as ``step_mode`` says."""
        check_rank(self, x, self.shapes)
        y: Tensor = super().forward(x)
        return y

    def _count(self, steps: int) -> int:
        """The step at which ``steps`` more begin."""
        t = self.t
        if t + steps > self.T:
            raise ValueError(
                f"{Location(self)} has parameters for T={self.T} steps and is at step {t}, got "
                f"{steps} more: call functional.reset_net(net) before a new sequence, or make it "
                "with the T of your sequences"
            )
        self.t = t + steps
        return t


class _TemporalEffective(_Counting):
    """One scale per step."""

    def __init__(self, T: int, *args: Any, step_mode: str = "m", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._set_steps(T, step_mode)
        self.scale = nn.Parameter(torch.ones(T))

    def single_step_forward(self, x: Tensor) -> Tensor:
        """One step, normalised by itself."""
        y: Tensor = _TorchBatchNorm.forward(self, x)  # type: ignore[arg-type]
        return y * self.scale[self._count(1)].to(y.dtype)

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """A sequence, normalised as a whole."""
        check_sequences(self, (x_seq,))
        steps = x_seq.shape[0]
        start = self._count(steps)
        y_seq = unfold(_TorchBatchNorm.forward(self, fold(x_seq)), x_seq)  # type: ignore[arg-type]
        scale = self.scale[start : start + steps].to(y_seq.dtype)
        y: Tensor = y_seq * scale.view(-1, *[1] * (y_seq.dim() - 1))
        return y

    def extra_repr(self) -> str:
        """The arguments."""
        return f"T={self.T}, {super().extra_repr()}, step_mode={self.step_mode}"


class TemporalEffectiveBatchNorm1d(_TemporalEffective, nn.BatchNorm1d):
    """:class:`TemporalEffectiveBatchNorm2d` for vectors and lines.

    Shape:
        input, output: [T, N, C] or [T, N, C, L] when step_mode is 'm', [N, C] or [N, C, L] when
            it is 's'.
    """

    shapes = ("[N, C]", "[N, C, L]")


class TemporalEffectiveBatchNorm2d(_TemporalEffective, nn.BatchNorm2d):
    r"""Batch norm, then a learned scale for each time step (TEBN).

    .. math::
        Y[t] = p_t (\gamma \hat X[t] + \beta)

    Statistics are those of all steps of a call. Steps are counted from the reset, so a sequence
    may come in chunks or, with step_mode 's', step by step.

    Arguments:
        T: Number of time steps of a sequence.
        args: As ``torch.nn.BatchNorm2d`` takes them: ``num_features``, ``eps``, ``momentum``, ...
        step_mode: 'm' for a sequence, 's' for one step per call.
        kwargs: Likewise.
    Shape:
        input, output: [T, N, C, H, W] when step_mode is 'm', [N, C, H, W] when it is 's'.
    State:
        t: steps since the reset.
    Raises:
        ValueError: T is not a positive int; at a call, the input has another rank, or more than T
            steps have been taken since the reset.
    References:
        | Temporal Effective Batch Normalization in Spiking Neural Networks (Duan et al., 2022)
        | https://openreview.net/forum?id=fLIgyyQiJqz

    Example:
        >>> norm = TemporalEffectiveBatchNorm2d(4, 8)
        >>> norm(torch.rand(4, 1, 8, 3, 3)).shape, norm.scale.shape
        (torch.Size([4, 1, 8, 3, 3]), torch.Size([4]))
    """

    shapes = ("[N, C, H, W]",)


class TemporalEffectiveBatchNorm3d(_TemporalEffective, nn.BatchNorm3d):
    """:class:`TemporalEffectiveBatchNorm2d` for volumes.

    Shape:
        input, output: [T, N, C, D, H, W] when step_mode is 'm', [N, C, D, H, W] when it is 's'.
    """

    shapes = ("[N, C, D, H, W]",)


class _ThroughTime(_Counting):
    """One batch norm per step."""

    norm: ClassVar[type[nn.Module]]

    def __init__(
        self,
        T: int,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        step_mode: str = "s",
    ) -> None:
        super().__init__()
        self._set_steps(T, step_mode)
        options = (num_features, eps, momentum, affine, track_running_stats)
        self.bn_list = nn.ModuleList(self.norm(*options) for _ in range(T))
        for norm in self.bn_list:
            norm.register_parameter("bias", None)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """One step, by the batch norm of that step."""
        y: Tensor = self.bn_list[self._count(1)](x)
        return y

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """A sequence, each step by its own batch norm."""
        check_sequences(self, (x_seq,))
        start = self._count(x_seq.shape[0])
        return torch.stack([self.bn_list[start + t](x) for t, x in enumerate(x_seq.unbind(0))])

    def extra_repr(self) -> str:
        """The arguments that the norms do not show."""
        return f"T={self.T}, step_mode={self.step_mode}"


class BatchNormThroughTime1d(_ThroughTime):
    """:class:`BatchNormThroughTime2d` for vectors and lines.

    Shape:
        input, output: [N, C] or [N, C, L] when step_mode is 's', [T, N, C] or [T, N, C, L] when
            it is 'm'.
    """

    shapes = ("[N, C]", "[N, C, L]")
    norm = nn.BatchNorm1d


class BatchNormThroughTime2d(_ThroughTime):
    r"""A batch norm of its own, without shift, for each time step (BNTT).

    .. math::
        Y[t] = \gamma_t \frac{X[t] - \mu_t}{\sqrt{\sigma_t^2 + \epsilon}}

    Steps are counted from the reset, so both step modes are the same computation, in training too.

    Arguments:
        T: Number of time steps of a sequence.
        num_features: Number of channels C.
        eps: Added to the variance.
        momentum: Weight of a batch in the running statistics; None for their mean.
        affine: Learn the scales :math:`\gamma_t`.
        track_running_stats: Keep statistics for eval.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, C, H, W] when step_mode is 's', [T, N, C, H, W] when it is 'm'.
    State:
        t: steps since the reset.
    Raises:
        ValueError: T is not a positive int; at a call, the input has another rank, or more than T
            steps have been taken since the reset.
    References:
        | Revisiting Batch Normalization for Training Low-Latency Deep Spiking Neural Networks From
          Scratch (Kim, Panda, 2021)
        | https://doi.org/10.3389/fnins.2021.773954

    Example:
        >>> norm = BatchNormThroughTime2d(4, 8, step_mode="m")
        >>> norm(torch.rand(4, 1, 8, 3, 3)).shape, len(norm.bn_list)
        (torch.Size([4, 1, 8, 3, 3]), 4)
    """

    shapes = ("[N, C, H, W]",)
    norm = nn.BatchNorm2d


class BatchNormThroughTime3d(_ThroughTime):
    """:class:`BatchNormThroughTime2d` for volumes.

    Shape:
        input, output: [N, C, D, H, W] when step_mode is 's', [T, N, C, D, H, W] when it is 'm'.
    """

    shapes = ("[N, C, D, H, W]",)
    norm = nn.BatchNorm3d
