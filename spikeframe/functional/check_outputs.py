"""What losses and metrics refuse: outputs and targets that do not belong together."""

from typing import Any

from torch import Tensor

__all__ = ["check_labels", "check_reduction", "check_share", "reduced", "weighted"]


def check_labels(name: str, x_seq: Any, target: Any) -> None:
    """Raise unless there is an output [T, N, C] and a label of each of the N samples."""
    if not isinstance(x_seq, Tensor) or not isinstance(target, Tensor):
        raise TypeError(
            f"{name} takes outputs and labels as tensors, got {type(x_seq).__name__} and "
            f"{type(target).__name__}"
        )
    if x_seq.dim() != 3 or x_seq.shape[0] == 0:
        raise ValueError(
            f"{name} takes the outputs of all steps, [T, N, C], got {list(x_seq.shape)}: stack "
            "the steps along a first dimension"
        )
    if target.shape != x_seq.shape[1:2]:
        raise ValueError(
            f"{name} takes one label for each of the {x_seq.shape[1]} samples, [N], got "
            f"{list(target.shape)}"
        )


def check_share(name: str, value: Any) -> float:
    """Return a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be from 0 to 1, got {value!r}")
    return float(value)


def check_reduction(reduction: str) -> str:
    """Return how samples are put together: 'mean', 'sum' or 'none'."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return reduction


def weighted(loss: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    r"""Losses of samples [N] or [\*, N, C], times the weight of each sample's class."""
    if weight is None:
        return loss
    factor = weight.to(loss.dtype)[target]
    return loss * (factor if loss.dim() == 1 else factor.unsqueeze(-1))


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The losses as one number, or as they are."""
    if check_reduction(reduction) == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()
