"""The equations of a neuron written out in float64, for comparison."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

__all__ = ["literal_sequence", "relative_error", "replay"]


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


def literal_sequence(case: Any, node: Any, x_seq: Tensor, spikes: Tensor, v: Any = None) -> Any:
    """V [T, N, *] and the spikes of the literal equations, replaying the spike train given.

    Replaying keeps one spike flipped by rounding from changing everything after it; that the
    train is right is checked where the membrane is clear of the threshold.
    """
    rest = 0.0 if node.v_reset is None else node.v_reset
    v = torch.full_like(x_seq[0], rest) if v is None else v
    out, v_seq = [], []
    for x, given in zip(x_seq.unbind(0), spikes.to(x_seq).unbind(0), strict=True):
        h = case.charge(v, x, rest, node)
        u = h - node.v_threshold
        clear = u.detach().abs() > 1e-4
        assert torch.equal((u.detach() >= 0)[clear], given.bool()[clear])
        s = _Spike.apply(u, given)
        reset = s.detach() if node.detach_reset else s
        v = (
            h - reset * node.v_threshold
            if node.v_reset is None
            else reset * rest + (1 - reset) * h
        )
        out.append(s)
        v_seq.append(v)
    return torch.stack(out), torch.stack(v_seq)


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
