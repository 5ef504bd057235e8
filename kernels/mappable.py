"""Which modules are linear maps that a step may put a state through."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules import module as modules

__all__ = ["HOOKS", "only_checks", "why_no_map"]

# What sees, or changes, what goes through a module.
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")

_GLOBAL = [getattr(modules, f"_global{name}") for name in HOOKS]

# Hooks that have nothing to say of an input that fits.
_CHECKS: set[Callable[..., Any]] = set()

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def why_no_map(module: Any) -> str | None:
    """What keeps a module from being one of these maps; None where nothing does."""
    if type(module) not in _KINDS:
        return "which is none of torch's own nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d"
    if "forward" in vars(module):
        return "with a forward of its own"
    if any(_GLOBAL) or any(set(getattr(module, name).values()) - _CHECKS for name in HOOKS):
        return "with hooks registered on it"
    padding, mode = getattr(module, "padding", ()), getattr(module, "padding_mode", "zeros")
    if isinstance(padding, str) or mode != "zeros":
        return f"with padding={padding!r}, padding_mode={mode!r}"
    return None


def only_checks(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Say of a hook that it does nothing but raise where an input does not fit the module."""
    _CHECKS.add(hook)
    return hook
