"""snnTorch's losses as objects that are called with outputs and targets."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .... import functional

__all__ = [
    "LossFunctions",
    "SpikeTime",
    "ce_count_loss",
    "ce_max_membrane_loss",
    "ce_rate_loss",
    "ce_temporal_loss",
    "mse_count_loss",
    "mse_membrane_loss",
    "mse_temporal_loss",
]

Times = Sequence[float] | Tensor | float


class LossFunctions:
    """What the losses share.

    Arguments:
        reduction: 'mean', 'sum' or 'none' over the samples.
        weight: Weight of each class, [C].
    """

    def __init__(self, reduction: str = "mean", weight: Tensor | None = None) -> None:
        self.reduction, self.weight = reduction, weight
        self.__name__ = type(self).__name__

    @property
    def _options(self) -> dict[str, Any]:
        return {"weight": self.weight, "reduction": self.reduction}

    def __call__(self, spk_out: Tensor, targets: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(spk_out, targets)")


class _OfPopulations(LossFunctions):
    """A loss in which several neurons may stand for a class."""

    def __init__(
        self,
        population_code: bool = False,
        num_classes: int | bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(reduction, weight)
        self.population_code, self.num_classes = population_code, num_classes

    def _classes(self, spk_out: Tensor) -> Tensor:
        if not self.population_code:
            return spk_out
        return functional.population_sum(spk_out, self.num_classes)


class ce_rate_loss(_OfPopulations):
    """Cross entropy at every step: :func:`spikeframe.functional.rate_cross_entropy`.

    Example:
        >>> ce_rate_loss()(torch.ones(4, 2, 10), torch.tensor([0, 1]))
        tensor(2.3026)
    """

    def __call__(self, spk_out: Tensor, targets: Tensor) -> Tensor:
        return functional.rate_cross_entropy(self._classes(spk_out), targets, **self._options)


class ce_count_loss(_OfPopulations):
    """Cross entropy of spike counts: :func:`spikeframe.functional.count_cross_entropy`."""

    def __call__(self, spk_out: Tensor, targets: Tensor) -> Tensor:
        return functional.count_cross_entropy(self._classes(spk_out), targets, **self._options)


class ce_max_membrane_loss(LossFunctions):
    """Cross entropy of the highest potentials, see ``max_membrane_cross_entropy``."""

    def __call__(self, mem_out: Tensor, targets: Tensor) -> Tensor:
        return functional.max_membrane_cross_entropy(mem_out, targets, **self._options)


class mse_count_loss(_OfPopulations):
    """Distance of the spike counts from those wanted: :func:`spikeframe.functional.count_mse`."""

    def __init__(
        self,
        correct_rate: float = 1,
        incorrect_rate: float = 0,
        population_code: bool = False,
        num_classes: int | bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(population_code, num_classes, reduction, weight)
        self.correct_rate, self.incorrect_rate = correct_rate, incorrect_rate

    def __call__(self, spk_out: Tensor, targets: Tensor) -> Tensor:
        classes = self._classes(spk_out)
        return functional.count_mse(
            classes,
            targets,
            self.correct_rate,
            self.incorrect_rate,
            neurons=spk_out.shape[-1] // classes.shape[-1],
            **self._options,
        )


class mse_membrane_loss(LossFunctions):
    """Distance of the potentials from those wanted: :func:`spikeframe.functional.membrane_mse`."""

    def __init__(
        self,
        time_var_targets: bool = False,
        on_target: float = 1,
        off_target: float = 0,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(reduction, weight)
        self.time_var_targets = time_var_targets
        self.on_target, self.off_target = on_target, off_target

    def __call__(self, mem_out: Tensor, targets: Tensor) -> Tensor:
        wanted = 2 if self.time_var_targets else 1
        if targets.dim() != wanted:
            raise ValueError(
                f"with time_var_targets={self.time_var_targets} targets must have {wanted} "
                f"dimensions, {'[T, N]' if wanted == 2 else '[N]'}, got {list(targets.shape)}"
            )
        on, off = self.on_target, self.off_target
        return functional.membrane_mse(mem_out, targets, on, off, **self._options)


class SpikeTime(nn.Module):
    """The times of the first spikes, and those wanted, from spikes and targets.

    Arguments:
        target_is_time: The targets are times, [N, C] or [F, N, C], and not labels.
        on_target: When the right class is to fire; several times with ``multi_spike``.
        off_target: Likewise the other classes; -1 is the last step.
        tolerance: A spike less than this many steps off counts as on time.
        multi_spike: More than one spike of each neuron counts.

    Example:
        >>> s_seq = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> SpikeTime()(s_seq, torch.tensor([0]))
        (tensor([[0., 1.]]), tensor([[0., 1.]]))
    """

    def __init__(
        self,
        target_is_time: bool = False,
        on_target: Times = 0,
        off_target: Times = -1,
        tolerance: float = 0,
        multi_spike: bool = False,
    ) -> None:
        super().__init__()
        self.target_is_time, self.multi_spike = target_is_time, multi_spike
        self.on_target, self.off_target, self.tolerance = on_target, off_target, tolerance

    def forward(self, spk_out: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Times of the spikes, and times wanted."""
        wanted = self.wanted(spk_out, targets)
        count = wanted.shape[0] if self.multi_spike else 1
        times = functional.spike_times(spk_out, count)
        times = times if self.multi_spike else times[0]
        near = (times - wanted).abs() < self.tolerance
        # On time in value; the gradient, of a distance of 0, is 0.
        return torch.where(near, times + (wanted - times).detach(), times), wanted

    def wanted(self, spk_out: Tensor, targets: Tensor) -> Tensor:
        """The times wanted, those counted from the end as steps."""
        steps, _, classes = spk_out.shape
        if self.target_is_time:
            times = targets.to(spk_out.dtype)
            return torch.where(times < 0, times + steps, times)
        on, off = (_listed(v, self.multi_spike) for v in (self.on_target, self.off_target))
        return functional.spike_time_targets(targets, classes, steps, on, off)


class mse_temporal_loss:
    """Distance of the spike times from those wanted, in shares of the steps.

    Example:
        >>> s_seq = torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]]])
        >>> mse_temporal_loss()(s_seq, torch.tensor([0]))
        tensor(0.1250)
    """

    def __init__(
        self,
        target_is_time: bool = False,
        on_target: Times = 0,
        off_target: Times = -1,
        tolerance: float = 0,
        multi_spike: bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        if target_is_time and weight is not None:
            raise ValueError(
                "weight is by class, and with target_is_time=True the targets are none: leave "
                "one of them out"
            )
        self.reduction, self.weight = reduction, weight
        self.spk_time_fn = SpikeTime(target_is_time, on_target, off_target, tolerance, multi_spike)
        self.__name__ = "mse_temporal_loss"

    def __call__(self, spk_rec: Tensor, targets: Tensor) -> Tensor:
        wanted = self.spk_time_fn.wanted(spk_rec, targets)
        tolerance = self.spk_time_fn.tolerance
        return functional.spike_time_mse(
            spk_rec,
            wanted,
            tolerance=tolerance,
            weight=None if self.weight is None else self.weight[targets],
            reduction=self.reduction,
        )


class ce_temporal_loss:
    """Cross entropy of the first spike times, turned round.

    Example:
        >>> s_seq = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> ce_temporal_loss()(s_seq, torch.tensor([0]))
        tensor(0.3133)
    """

    def __init__(
        self, inverse: str = "negate", reduction: str = "mean", weight: Tensor | None = None
    ) -> None:
        if inverse not in ("negate", "reciprocal"):
            raise ValueError(f"inverse must be 'negate' or 'reciprocal', got {inverse!r}")
        self.inverse, self.reduction, self.weight = inverse, reduction, weight
        self.__name__ = "ce_temporal_loss"

    def __call__(self, spk_rec: Tensor, targets: Tensor) -> Tensor:
        return functional.spike_time_cross_entropy(
            spk_rec, targets, self.inverse, weight=self.weight, reduction=self.reduction
        )


def _listed(times: Any, several: bool) -> Any:
    if several and not isinstance(times, Sequence | Tensor):
        raise ValueError(
            f"multi_spike=True takes a list of times, one for each spike, got {times}"
        )
    return times
