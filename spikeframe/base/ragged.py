r"""Runs a sequence whose samples end at different steps: a state stays where its sample ended."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .. import kernels

__all__ = ["loop_over_mask"]

Owner = tuple[Any, dict[str, Any]]


def loop_over_mask(
    step: Callable[..., Any], module: nn.Module, input_seqs: Sequence[Tensor], mask: Tensor
) -> Any:
    r"""Call ``step`` on every step; where a sample has ended, keep its states and output zeros.

    Arguments:
        step: Runs ``module`` on one step of each sequence, [N, \*].
        module: What remembers, itself or in its submodules.
        input_seqs: Sequences [T, N, \*] of the same T.
        mask: True where a sample goes on, [T, N].

    Returns:
        The stacked outputs.
    """
    rest = zip(mask.unbind(0), mask.all(1).tolist(), strict=True)

    def masked(*inputs: Tensor) -> Any:
        alive, everywhere = next(rest)
        if everywhere:
            return step(*inputs)
        before = _states(module)
        outputs = step(*inputs)
        _restore(before, alive)
        return tree_map_only(Tensor, lambda y: _where(alive, y, 0.0), outputs)

    return kernels.loop_over_time(masked, input_seqs)


def _states(module: nn.Module) -> list[Owner]:
    owners: list[Any] = [m for m in module.modules() if getattr(m, "remembers", False)]
    return [(owner, dict(owner.named_memories())) for owner in owners]


def _restore(before: Sequence[Owner], alive: Tensor) -> None:
    """Put the states of samples that have ended back to what they were."""
    for owner, states in before:
        for name, after in list(owner.named_memories()):
            if _is_per_sample(after, alive):
                setattr(owner, name, _frozen(owner, states.get(name), after, alive))


def _frozen(owner: Any, before: Any, after: Tensor, alive: Tensor) -> Any:
    if before is None:
        # Nothing was held: zeros, but for a mask, which any sample may come to use.
        return after if owner.replayable else _where(alive, after, 0.0)
    if isinstance(before, Tensor):
        return _where(alive, after, before.to(after.dtype).expand(after.shape))
    return _where(alive, after, before)


def _is_per_sample(state: Any, alive: Tensor) -> bool:
    return isinstance(state, Tensor) and state.dim() > 0 and state.shape[0] == alive.shape[0]


def _where(alive: Tensor, y: Tensor, otherwise: Any) -> Tensor:
    return torch.where(alive.view(-1, *[1] * (y.dim() - 1)), y, otherwise)
