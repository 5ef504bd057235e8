"""snnTorch's codes of labels: one-hot, by rate, by latency."""

from typing import Any

import torch
from torch import Tensor

from .timing import latency, rate_interpolate

__all__ = [
    "from_one_hot",
    "target_rate_code",
    "targets_convert",
    "targets_latency",
    "targets_rate",
    "to_one_hot",
    "to_one_hot_inverse",
]

PATTERNS = ("regular", "uniform", "poisson")


def targets_convert(
    targets: Tensor,
    num_classes: int,
    code: str = "rate",
    num_steps: int | bool = False,
    first_spike_time: int = 0,
    correct_rate: float = 1,
    incorrect_rate: float = 0,
    on_target: float = 1,
    off_target: float = 0,
    firing_pattern: str = "regular",
    interpolate: bool = False,
    epsilon: float = 1e-7,
    threshold: float = 0.01,
    tau: float = 1,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    bypass: bool = False,
) -> Tensor:
    """Labels as :func:`targets_rate` (code 'rate') or :func:`targets_latency` ('latency') does.

    Example:
        >>> targets_convert(torch.tensor([1]), num_classes=3)
        tensor([[0., 1., 0.]])
    """
    shared: dict[str, Any] = {
        "num_steps": num_steps,
        "first_spike_time": first_spike_time,
        "on_target": on_target,
        "off_target": off_target,
        "interpolate": interpolate,
        "epsilon": epsilon,
    }
    if code == "rate":
        return targets_rate(
            targets,
            num_classes,
            correct_rate=correct_rate,
            incorrect_rate=incorrect_rate,
            firing_pattern=firing_pattern,
            **shared,
        )
    if code != "latency":
        raise ValueError(f"code must be 'rate' or 'latency', got {code!r}")
    return targets_latency(
        targets,
        num_classes,
        threshold=threshold,
        tau=tau,
        clip=clip,
        normalize=normalize,
        linear=linear,
        bypass=bypass,
        **shared,
    )


def targets_rate(
    targets: Tensor,
    num_classes: int,
    num_steps: int | bool = False,
    first_spike_time: int = 0,
    correct_rate: float = 1,
    incorrect_rate: float = 0,
    on_target: float = 1,
    off_target: float = 0,
    firing_pattern: str = "regular",
    interpolate: bool = False,
    epsilon: float = 1e-7,
) -> Tensor:
    """Labels as firing rates of the right and the wrong classes.

    Arguments:
        targets: Class of each sample, [N].
        num_classes: Number of classes C.
        num_steps: Number of steps; needed unless the code is the same at every step.
        first_spike_time: No spike comes before this step.
        correct_rate: How often the right class fires, in spikes per step, 0 to 1.
        incorrect_rate: How often the others do; at most as often.
        on_target: What a spike is worth.
        off_target: The value where there is none.
        firing_pattern: 'regular', 'uniform' (random times) or 'poisson' (independent steps).
        interpolate: Ramps from one spike to the next.
        epsilon: Accepted and not needed.
    Returns:
        [T, N, C]; [N, C] for the rates 1 and 0 from step 0 on, which do not change with time.
    Raises:
        ValueError: An argument is outside of what is allowed, or missing.

    Example:
        >>> targets_rate(torch.tensor([1]), num_classes=2, num_steps=4, correct_rate=0.5)[:, 0]
        tensor([[0., 1.],
                [0., 0.],
                [0., 1.],
                [0., 0.]])
    """
    _check_rates(correct_rate, incorrect_rate, firing_pattern)
    hit = to_one_hot(targets, num_classes).bool()
    constant = correct_rate == 1 and incorrect_rate == 0
    if constant and first_spike_time == 0:
        return _valued(hit, on_target, off_target)
    if not num_steps:
        raise ValueError(
            "num_steps must be given unless correct_rate is 1, incorrect_rate 0 and "
            "first_spike_time 0"
        )
    courses = []
    for share in (correct_rate, incorrect_rate):
        fired, times = target_rate_code(num_steps, first_spike_time, share, firing_pattern)
        if interpolate and not constant:
            course = rate_interpolate(times, num_steps, on_target, off_target, epsilon)
        else:
            course = _valued(fired.bool(), on_target, off_target)
        courses.append(course.to(targets.device).reshape(-1, 1, 1))
    return torch.where(hit, courses[0], courses[1])


def target_rate_code(
    num_steps: int | bool,
    first_spike_time: int = 0,
    rate: float = 1,
    firing_pattern: str = "regular",
) -> tuple[Tensor, Tensor]:
    """The spikes of one neuron at a rate, [T], and their steps.

    Example:
        >>> target_rate_code(num_steps=5, rate=0.3)
        (tensor([1., 0., 0., 1., 0.]), tensor([0, 3]))
    """
    _check_rates(rate, 0, firing_pattern)
    if num_steps < 1 or not 0 <= first_spike_time <= num_steps:
        raise ValueError(
            f"num_steps must be at least 1 and first_spike_time from 0 to num_steps, got "
            f"num_steps={num_steps} and first_spike_time={first_spike_time}"
        )
    silent = torch.zeros(int(num_steps))
    if rate == 0:
        return silent, torch.empty(0, dtype=torch.long)
    if firing_pattern.lower() == "poisson":
        chances = silent.index_fill(0, torch.arange(first_spike_time, num_steps), rate)
        spikes = torch.bernoulli(chances)
        return spikes, spikes.nonzero().flatten()
    times = torch.arange(first_spike_time, num_steps, 1 / rate)
    if firing_pattern.lower() == "uniform":
        times = torch.rand(len(times)) * (num_steps - first_spike_time) + first_spike_time
    steps: Tensor = times.long().unique()
    # Rounding may put the last time at the end: 13 spikes at a rate of 0.65 take 20 steps.
    steps = steps[steps < num_steps]
    return silent.index_fill(0, steps, 1.0), steps


def targets_latency(
    targets: Tensor,
    num_classes: int,
    num_steps: int | bool = False,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    interpolate: bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
    bypass: bool = False,
) -> Tensor:
    """Labels as one spike each, early for the right class and late for the others.

    Example:
        >>> targets_latency(torch.tensor([1]), 2, num_steps=3, normalize=True)[:, 0]
        tensor([[0., 1.],
                [0., 0.],
                [1., 0.]])
    """
    return latency(
        to_one_hot(targets, num_classes),
        num_steps,
        threshold,
        tau,
        first_spike_time,
        on_target,
        off_target,
        clip,
        normalize,
        linear,
        interpolate,
        bypass,
        epsilon,
    )


def to_one_hot(targets: Tensor, num_classes: int) -> Tensor:
    """Labels [N] as rows [N, C] with a 1 at the class.

    Example:
        >>> to_one_hot(torch.tensor([1, 0]), 2)
        tensor([[0., 1.],
                [1., 0.]])
    """
    labels = targets.long()
    if labels.numel() and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ValueError(
            f"targets must be classes from 0 to num_classes - 1 = {num_classes - 1}, got "
            f"{labels.min().item()} to {labels.max().item()}"
        )
    one_hot = torch.nn.functional.one_hot(labels, num_classes)
    return one_hot.to(torch.get_default_dtype())


def to_one_hot_inverse(one_hot_targets: Tensor) -> Tensor:
    """1 where there is 0, and 0 elsewhere.

    Example:
        >>> to_one_hot_inverse(torch.tensor([0.0, 0.0, 1.0]))
        tensor([1., 1., 0.])
    """
    return (one_hot_targets == 0).to(one_hot_targets.dtype)


def from_one_hot(one_hot_label: Tensor) -> Tensor:
    """The class of each row (snnTorch's returns the rows' numbers).

    Example:
        >>> from_one_hot(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
        tensor([1, 0])
    """
    return one_hot_label.argmax(-1)


def _valued(where: Tensor, on_target: float, off_target: float) -> Tensor:
    return torch.where(where, float(on_target), float(off_target)).to(torch.get_default_dtype())


def _check_rates(correct: float, incorrect: float, firing_pattern: str) -> None:
    if not (0 <= correct <= 1 and 0 <= incorrect <= 1):
        raise ValueError(
            f"rates must be from 0 to 1 (in spikes per step), got {correct} and {incorrect}"
        )
    if incorrect > correct:
        raise ValueError(
            f"incorrect_rate must not be more than correct_rate, got {incorrect} and {correct}"
        )
    if firing_pattern.lower() not in PATTERNS:
        raise ValueError(
            f"firing_pattern must be 'regular', 'uniform' or 'poisson', got {firing_pattern!r}"
        )
