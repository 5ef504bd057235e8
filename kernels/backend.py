"""The table of backends: what each serves, why it does not serve a case, and which one runs."""

import os
import warnings
from typing import Any

import torch

from . import cpp, cuda, eager, fused, replay, torch_program, triton
from .call import Call
from .engine import BACKENDS, Backend, Engine
from .layout import Layout

__all__ = [
    "BACKENDS",
    "NAMES",
    "Backend",
    "check_name",
    "choose",
    "explain",
    "fused_backend",
    "why_not",
]

NAMES = ("auto", "eager", "torch", "cpp", "triton", "cupy")

# Names the backend that replaces an unavailable one, for models that hard-code theirs.
ENVIRONMENT = "SPIKEFRAME_BACKEND"

# Until rows of a device are committed in benchmarks/.
UNTRIED = dict.fromkeys(
    ("triton", "cupy"), "compiled and tested without a device, not yet run on one"
)


def fused_backend(name: str, engine: Engine) -> Backend:
    """The row of an engine that runs programs."""
    return Backend(
        name,
        lambda call: replay.run(engine, call),
        lambda node, device, call: fused.why_not(engine, node, device, call),
        engine,
    )


BACKENDS.update(
    triton=fused_backend("triton", triton.engine()),
    cupy=fused_backend("cupy", Engine(cuda.forward, cuda.backward, cuda.why_not, cuda.prepare)),
    cpp=fused_backend("cpp", Engine(cpp.forward, cpp.backward, cpp.why_not, cpp.prepare)),
    torch=fused_backend(
        "torch",
        Engine(
            torch_program.forward,
            torch_program.backward,
            torch_program.why_not,
            new_saved=torch_program.new_saved,
            runs_steps=False,
        ),
    ),
    eager=Backend(
        "eager", lambda call: eager.run(call.node, call.inputs), lambda node, device, call: None
    ),
)


def check_name(name: str) -> str:
    """Return ``name`` if it names a backend.

    Raises:
        ValueError: It does not.
    """
    if name not in NAMES:
        raise ValueError(f"backend must be one of {', '.join(map(repr, NAMES))}, got {name!r}")
    return name


def why_not(
    node: Any,
    backend: str,
    device: torch.device | str = "cpu",
    call: Call | None = None,
) -> str | None:
    r"""Why ``backend`` cannot run ``node`` on ``device``; None where it can.

    Arguments:
        node: The node.
        backend: A name of ``NAMES``.
        device: Where its inputs are.
        call: One call of it, to judge that very call.

    Example:
        >>> from spikeframe import neuron
        >>> why_not(neuron.IFNode(), "eager") is None
        True
    """
    if check_name(backend) == "auto":
        return None
    return BACKENDS[backend].why_not(node, torch.device(device), call)


def explain(node: Any, device: torch.device | str = "cpu") -> str:
    """One line per backend: whether it serves ``node`` on ``device``, why not, or how far proven.

    A net gives a line per node: its name, class, the backend that would run it now, and the
    bytes per neuron and step that it saves for the backward in float32, beside its input ('-'
    where autograd of its own lines saves what it needs).

    Example:
        >>> from spikeframe import neuron
        >>> print(explain(neuron.IFNode(backend="eager")).splitlines()[1])
        eager: serves
    """
    if not hasattr(node, "supported_backends"):
        return _explain_net(node, device)
    lines = [f"auto: runs {choose(node, 'auto', device).name!r}"]
    for name in NAMES[1:]:
        reason = why_not(node, name, device)
        serves = f"serves ({UNTRIED[name]})" if name in UNTRIED else "serves"
        lines.append(f"{name}: {serves if reason is None else f'no: {reason}'}")
    return "\n".join(lines)


def _explain_net(net: Any, device: torch.device | str) -> str:
    rows = [("module", "class", "backend", "runs", "saved", "why")]
    for name, node in net.named_modules():
        if not hasattr(node, "supported_backends"):
            continue
        reason = why_not(node, node.backend, device)
        runs = "-" if reason is not None else choose(node, node.backend, device).name
        if runs == "eager" != node.backend:
            reason = why_not(node, "torch", device)
        why = reason or UNTRIED.get(runs, "")
        rows.append((name, type(node).__name__, node.backend, runs, _saved_bytes(node, runs), why))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def _saved_bytes(node: Any, runs: str) -> str:
    """Bytes per neuron and step that training in float32 saves, beside the input."""
    engine = BACKENDS[runs].engine if runs in BACKENDS else None
    if engine is None:
        return "-"
    if node.save == "input":
        return "0"
    layout = Layout(torch.empty(8, 1, device="meta"))  # eight steps: as many as a byte has bits
    saved = fused.training_saved(engine, node, layout)
    return f"{sum(t.numel() * t.element_size() for t in saved) / layout.steps:g}"


def choose(
    node: Any,
    name: str,
    device: torch.device | str,
    call: Call | None = None,
) -> Backend:
    """The backend that runs ``node`` (and this call of it) when ``backend=name``.

    Raises:
        RuntimeError: The backend named cannot serve, with the reason and the remedy.
    """
    device = torch.device(device)
    if name == "auto":
        return next(b for b in BACKENDS.values() if b.why_not(node, device, call) is None)
    reason = why_not(node, name, device, call)
    if reason is None:
        return BACKENDS[name]
    if os.environ.get(ENVIRONMENT):
        replacement = check_name(os.environ[ENVIRONMENT])
        warnings.warn(
            f"backend {name!r} cannot run {type(node).__name__} ({reason}): "
            f"using {replacement!r}, as {ENVIRONMENT} says",
            stacklevel=2,
        )
        if replacement == "auto" or why_not(node, replacement, device, call) is None:
            return choose(node, replacement, device, call)
        name, reason = replacement, str(why_not(node, replacement, device, call))
    raise RuntimeError(
        f"backend {name!r} cannot run {type(node).__name__} on {device}: {reason}. Use "
        f"backend='auto', or functional.set_backend(net, 'auto'), or set {ENVIRONMENT}=auto"
    )
