"""Compares an engine with the node's own lines: spikes bit by bit, gradients closely."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from cases import TOLERANCE
from reference import relative_error
from torch import Tensor

from spikeframe import neuron

__all__ = ["compare", "lif", "results", "weights"]


def weights(value: Tensor) -> Tensor:
    """A weight for each element, none like another."""
    return torch.linspace(-1, 1, value.numel(), dtype=torch.float64).reshape(value.shape).to(value)


def spikes_and_state(node: Any, spikes: Tensor) -> Tensor:
    """A loss of the spikes and the last state."""
    state = getattr(node, node.membrane)
    return (spikes * weights(spikes)).sum() + (state * weights(state)).sum()


def results(
    node: Any,
    x_seq: Tensor,
    loss: Callable[..., Tensor] = spikes_and_state,
    v: Tensor | None = None,
    others: Sequence[Tensor] = (),
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Spikes, last state, and the gradients of input, parameters and first state."""
    x_seq = x_seq.detach().requires_grad_()
    wanted = [x_seq, *node.parameters()]
    if v is not None:
        v = v.clone().requires_grad_()
        node.v = v
        wanted.append(v)
    spikes = node(x_seq, *others)
    grads = torch.autograd.grad(loss(node, spikes), wanted)
    return spikes.detach(), node.v.detach(), grads


def compare(
    backend: str,
    make: Callable[[str], Any],
    x_seq: Tensor,
    loss: Callable[..., Tensor] = spikes_and_state,
    v: Tensor | None = None,
    others: Sequence[Tensor] = (),
    exact: bool = True,
) -> None:
    """Compare a backend with eager, where calls have a shorter way also when it is taken.

    Arguments:
        backend: Its name.
        make: Makes a node of a backend.
        x_seq: The input, which keeps its strides.
        loss: From the node and its spikes.
        v: The first state.
        others: Further inputs.
        exact: Whether states are equal bit by bit, which functions like exp leave only close.
    """
    expected = results(make("eager"), x_seq, loss, v, others)
    node = make(backend)
    # The first call, the one that is kept, and the one that is replayed.
    for _ in range(3 if backend == "cpp" else 1):
        node.reset()
        _assert_alike(results(node, x_seq, loss, v, others), expected, x_seq.dtype, exact)


def _assert_alike(found: Any, expected: Any, dtype: torch.dtype, exact: bool) -> None:
    assert found[0].dtype == dtype
    assert torch.equal(found[0], expected[0])
    bound = 0.0 if exact else TOLERANCE[found[1].dtype]
    assert relative_error(found[1].nan_to_num(), expected[1].nan_to_num()) <= bound
    assert torch.equal(found[1].isnan(), expected[1].isnan())
    for value, right in zip(found[2], expected[2], strict=True):
        assert value.dtype == right.dtype
        assert value.shape == right.shape
        assert torch.equal(value.isnan(), right.isnan())
        error = relative_error(value.nan_to_num(), right.nan_to_num())
        assert error <= TOLERANCE[dtype]


def lif(**options: Any) -> Callable[[str], neuron.LIFNode]:
    """Makes LIF nodes of a backend."""
    return lambda backend: neuron.LIFNode(
        **({"tau": 2.7, "step_mode": "m", "backend": backend} | options)
    )
