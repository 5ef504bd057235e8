"""Names a module by its place in the net that is being run, in errors of what it was given."""

import sys
import weakref
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .. import kernels

__all__ = ["Location", "check_sequences", "check_tensor"]


class Location:
    """Where a module stands, found lazily: a name is only worth its search when an error needs it.

    Modules do not know their names. The outermost module on the call stack does, so it is
    remembered (weakly) when the location is taken.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = weakref.ref(module)
        self._root = weakref.ref(_outermost_module(module))

    def __str__(self) -> str:
        """For example ``LIFNode 'features.1'``, or ``LIFNode`` where no net contains it."""
        module, root = self._module(), self._root()
        if module is None:
            return "a module"
        kind = type(module).__name__
        names = root.named_modules() if root is not None else ()
        name = next((name for name, inner in names if inner is module and name), None)
        return kind if name is None else f"{kind} {name!r}"


def check_tensor(module: nn.Module, x: Any) -> None:
    """Raise a TypeError unless the input of ``module`` is a tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{Location(module)} takes a tensor, got {type(x).__name__}: make one of it, by "
            "torch.as_tensor(x) or torch.stack(steps)"
        )


def check_sequences(module: nn.Module, input_seqs: Sequence[Any]) -> None:
    """Raise unless the inputs of ``module`` are sequences of the same number of steps, not 0."""
    for x_seq in input_seqs:
        check_tensor(module, x_seq)
    try:
        kernels.check_sequences(input_seqs)
    except ValueError as error:
        raise ValueError(f"{Location(module)}: {error}") from None


def _outermost_module(module: nn.Module) -> nn.Module:
    outermost, frame = module, sys._getframe(1)
    while frame is not None:
        # Methods only: reading f_locals keeps a copy of them (a batch, say) on the frame.
        if frame.f_code.co_varnames[:1] == ("self",):
            candidate = frame.f_locals.get("self")
            outermost = candidate if isinstance(candidate, nn.Module) else outermost
        frame = frame.f_back  # type: ignore[assignment]
    return outermost
