"""One neuron for each use of an activation that a model calls more than once."""

from collections.abc import Callable
from typing import Any

from torch import nn

__all__ = ["PerCall", "restart_calls"]


class PerCall(nn.ModuleList):
    """Modules that take turns: the first call of a forward goes to the first, and so on.

    An activation that keeps nothing may serve at several places of a model (``self.relu`` in the
    blocks of torchvision's residual nets does); a neuron may not, as its state is that of one
    place. After the last module it is the first one's turn again, as at every forward of the net
    that :func:`replace_activations` was given.

    Arguments:
        make: Makes one module.
        uses: How many there are, at least 1.
        unsure: Where the number of uses is a guess: its reason. A call too many raises then.

    Example:
        >>> import torch
        >>> turns = PerCall(nn.Identity, 2)
        >>> turns(torch.ones(1)), len(turns)
        (tensor([1.]), 2)
    """

    def __init__(
        self, make: Callable[[], nn.Module], uses: int = 1, unsure: str | None = None
    ) -> None:
        super().__init__(make() for _ in range(uses))
        self.calls = 0
        self.unsure = unsure

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The output of the module whose turn it is."""
        if self.unsure is not None and self.calls == len(self):
            raise RuntimeError(
                f"an activation is called more than {len(self)} times in one forward, so its "
                "neurons would share a state; torch.fx could not count its uses "
                f"({self.unsure}). Pass them to replace_activations: uses={{name: number}}"
            )
        turn = self.calls % len(self)
        # First, as a recomputation (of a checkpoint) may leave the call early.
        self.calls = self.calls + 1
        return self[turn](*inputs, **kwargs)

    def restart_turns(self) -> None:
        """It is the first module's turn."""
        self.calls = 0

    def extra_repr(self) -> str:
        """Nothing: torch's list of modules says it all."""
        return ""


def restart_calls(net: nn.Module, inputs: Any) -> None:
    """A forward pre-hook: a forward of ``net`` begins, so it is each first module's turn."""
    for module in net.modules():
        if isinstance(module, PerCall):
            module.restart_turns()
