"""The table of backends: what each serves, why it does not serve a case, and which one runs."""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import cpp, eager, fused, torch_program

__all__ = ["BACKENDS", "NAMES", "Backend", "check_name", "choose", "explain", "why_not"]

NAMES = ("auto", "eager", "torch", "cpp", "triton", "cupy")

# Names the backend that replaces an unavailable one, for models that hard-code theirs.
ENVIRONMENT = "SPIKEFRAME_BACKEND"


@dataclass(frozen=True)
class Backend:
    """One way to run a neuron over a sequence.

    Arguments:
        name: Its name in ``backend=``.
        run: Runs a node over its input sequences [T, N, \\*], as :func:`eager.run` does, and
            returns the spikes.
        why_not: The reason it cannot serve a node on a device, or None.
    """

    name: str
    run: Callable[[Any, Sequence[Tensor]], Tensor]
    why_not: Callable[[Any, torch.device], str | None]


def _fused(name: str, engine: fused.Engine) -> Backend:
    return Backend(
        name,
        lambda node, input_seqs: fused.run(engine, node, input_seqs),
        lambda node, device: fused.why_not(engine, node, device),
    )


# In the order in which 'auto' prefers them.
BACKENDS: dict[str, Backend] = {
    "cpp": _fused("cpp", fused.Engine(cpp.forward, cpp.backward, cpp.why_not)),
    "torch": _fused(
        "torch",
        fused.Engine(torch_program.forward, torch_program.backward, torch_program.why_not),
    ),
    "eager": Backend("eager", eager.run, lambda node, device: None),
}


def check_name(name: str) -> str:
    """Return ``name`` if it names a backend.

    Raises:
        ValueError: It does not.
    """
    if name not in NAMES:
        raise ValueError(f"backend must be one of {', '.join(map(repr, NAMES))}, got {name!r}")
    return name


def why_not(node: Any, backend: str, device: torch.device | str = "cpu") -> str | None:
    """Why ``backend`` cannot run ``node`` on ``device``; None where it can.

    Example:
        >>> from spikeframe import neuron
        >>> why_not(neuron.IFNode(), "eager") is None
        True
    """
    if check_name(backend) == "auto":
        return None
    if backend not in BACKENDS:
        return f"spikeframe has no {backend!r} backend in this version"
    return BACKENDS[backend].why_not(node, torch.device(device))


def explain(node: Any, device: torch.device | str = "cpu") -> str:
    """One line per backend: whether it serves ``node`` on ``device``, and why not.

    Example:
        >>> from spikeframe import neuron
        >>> print(explain(neuron.IFNode()).splitlines()[0])
        auto: runs 'eager'
    """
    lines = [f"auto: runs {choose(node, 'auto', device).name!r}"]
    for name in NAMES[1:]:
        reason = why_not(node, name, device)
        lines.append(f"{name}: {'serves' if reason is None else f'no: {reason}'}")
    return "\n".join(lines)


def choose(node: Any, name: str, device: torch.device | str) -> Backend:
    """The backend that runs ``node`` when ``backend=name``.

    Raises:
        RuntimeError: The backend named cannot serve, with the reason and the remedy.
    """
    reason = why_not(node, name, device)
    if reason is not None and os.environ.get(ENVIRONMENT):
        replacement = check_name(os.environ[ENVIRONMENT])
        warnings.warn(
            f"backend {name!r} cannot run {type(node).__name__} ({reason}): "
            f"using {replacement!r}, as {ENVIRONMENT} says",
            stacklevel=2,
        )
        name, reason = replacement, why_not(node, replacement, device)
    if reason is not None:
        raise RuntimeError(
            f"backend {name!r} cannot run {type(node).__name__} on {device}: {reason}. Use "
            f"backend='auto', or functional.set_backend(net, 'auto'), or set {ENVIRONMENT}=auto"
        )
    if name != "auto":
        return BACKENDS[name]
    return next(b for b in BACKENDS.values() if b.why_not(node, torch.device(device)) is None)
