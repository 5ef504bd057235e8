"""The equations of a neuron written out in float64, for comparison."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

__all__ = ["fire", "literal_sequence", "relative_error", "replay"]


class _Spike(torch.autograd.Function):
    """A spike train given from outside, with the gradient of ATan (alpha = 2) at u."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, spike: Tensor) -> Tensor:
        ctx.save_for_backward(u)
        return spike.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return grads[0] / (1 + (torch.pi * u) ** 2), None


def fire(u: Tensor, given: Tensor) -> Tensor:
    """The spike that is given, with the gradient of ATan (alpha = 2) at u.

    Replaying keeps one spike flipped by rounding from changing everything after it; that the
    train is right is checked where the membrane is clear of the threshold.
    """
    clear = u.detach().abs() > 1e-4
    assert torch.equal((u.detach() >= 0)[clear], given.bool()[clear])
    return _Spike.apply(u, given)


def literal_sequence(
    case: Any, node: Any, inputs: Sequence[Tensor], given: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Outputs and each state [T, N, *] of the literal equations, replaying the outputs given."""
    reset = (*map(node.get_reset_value, case.states), *case.hidden)
    states = tuple(torch.as_tensor(v, dtype=torch.float64).expand_as(inputs[0][0]) for v in reset)
    outputs, kept = [], []
    for *x, s in zip(*(seq.unbind(0) for seq in inputs), given.to(inputs[0]), strict=True):
        output, states = case.step(node, states, x, s)
        outputs.append(output)
        kept.append(states[: len(case.states)])
    return torch.stack(outputs), [torch.stack(seq) for seq in zip(*kept, strict=True)]


def relative_error(value: Tensor, reference: Tensor) -> float:
    """Largest error relative to the largest reference value (absolute below 1)."""
    scale = max(1.0, reference.abs().max().item()) if reference.numel() else 1.0
    error = (value.double() - reference.double()).abs()
    return error.max().item() / scale if error.numel() else 0.0


@contextmanager
def replay(surrogate: Any) -> Iterator[Callable[[], None]]:
    """Keep the spikes that a surrogate fires; once what is yielded is called, fire them again.

    So that a second run, in float64, has the spike train of the first.
    """
    fire, kept = surrogate.fire, []
    replayed: list[Iterator[Tensor]] = []

    def recorded(u: Tensor) -> Tensor:
        if replayed:
            return next(replayed[0]).to(u)
        kept.append(fire(u))
        return kept[-1]

    surrogate.fire = recorded
    yield lambda: replayed.append(iter(kept))
    del surrogate.fire
