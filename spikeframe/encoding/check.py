"""What the encoders refuse: wrong types, values out of range, nan, unusable generators."""

import math
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "check_draw",
    "check_finite",
    "check_flag",
    "check_floating",
    "check_generator",
    "check_number",
    "check_steps",
    "check_tensor",
    "check_within",
    "in_precision",
]


def check_steps(name: str, steps: Any) -> int:
    """Return a number of time steps: an int of at least 1 (bool is none)."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{name} must be an int of at least 1 (in time steps), got {steps!r}")
    return steps


def check_number(
    name: str, value: Any, above: float = -math.inf, below: float = math.inf
) -> float:
    """Return a finite float strictly between ``above`` and ``below``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r} ({type(value).__name__})")
    if not (above < value < below and math.isfinite(value)):
        wanted = ["finite"]
        wanted += [f"greater than {above:g}"] if above > -math.inf else []
        wanted += [f"less than {below:g}"] if below < math.inf else []
        raise ValueError(f"{name} must be {' and '.join(wanted)}, got {value!r}")
    return float(value)


def check_flag(name: str, value: Any) -> bool:
    """Return a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def check_tensor(caller: str, x: Any) -> None:
    """Raise a TypeError unless ``x`` is a real tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{caller} takes a tensor, got {type(x).__name__}")
    if x.is_complex():
        raise TypeError(f"{caller} takes real inputs, got {x.dtype}")


def check_floating(caller: str, x: Any) -> None:
    """Raise a TypeError unless ``x`` is a tensor of floats."""
    check_tensor(caller, x)
    if not x.is_floating_point():
        raise TypeError(
            f"{caller} takes floating-point inputs, got {x.dtype}: convert and scale them first, "
            "for example x.float() / 255 for an 8-bit image"
        )


def check_within(caller: str, x: Tensor, high: float, allowed: str, remedy: str) -> None:
    """Raise a ValueError unless 0 <= x <= ``high`` everywhere; waits for the device."""
    if x.numel() == 0:
        return
    smallest, largest = torch.stack(torch.aminmax(x.detach())).tolist()
    if not (smallest >= 0.0 and largest <= high):  # False for nan, which aminmax passes on
        raise ValueError(
            f"{caller} takes values within {allowed}, got values from {smallest:.8g} to "
            f"{largest:.8g}: {remedy}"
        )


def check_finite(caller: str, x: Tensor) -> None:
    """Raise a ValueError where ``x`` has nan or inf; waits for the device."""
    if x.is_floating_point() and not bool(x.detach().isfinite().all()):
        raise ValueError(
            f"{caller} takes finite values, got nan or inf: for example x.nan_to_num()"
        )


def check_generator(generator: Any) -> torch.Generator | None:
    """Return a generator, or None for torch's own."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator must be a torch.Generator or None, got {type(generator).__name__}"
        )
    return generator


def check_draw(generator: torch.Generator | None, device: torch.device) -> None:
    """Raise where numbers for ``device`` cannot come, or would not repeat, from ``generator``."""
    if generator is None:
        return
    if generator.device.type != device.type:
        raise RuntimeError(
            f"the generator is on {generator.device} but the input is on {device}: make one with "
            f"torch.Generator({device.type!r})"
        )
    # torch.utils.checkpoint restores torch's own generators only: the spikes would differ.
    if torch._C._current_graph_task_id() != -1:
        raise RuntimeError(
            "an encoder with its own generator runs inside a backward pass: "
            "torch.utils.checkpoint would recompute it with other random numbers. Encode before "
            "the checkpoint, or use generator=None, whose state torch restores"
        )


def in_precision(x: Tensor) -> Tensor:
    """The values of a float tensor to compute with: no history, float32 at least."""
    x = x.detach()
    return x if x.dtype == torch.float64 else x.float()
