"""The states of a whole net as values: listed, saved, restored, passed as arguments."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn

from .guard import explicit_states
from .memory import MemoryModule

__all__ = [
    "extract_memories",
    "load_memories",
    "memories",
    "named_memories",
    "to_functional_forward",
]


def named_memories(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of every memory in ``module`` and its submodules, in the tree's order.

    Example:
        >>> from torch import nn
        >>> from spikeframe import neuron
        >>> dict(named_memories(nn.Sequential(nn.Flatten(), neuron.IFNode())))
        {'1.v': 0.0}
    """
    for path, owner in _owners(module, prefix):
        for name, value in owner.named_memories():
            yield (f"{path}.{name}" if path else name), value


def memories(module: nn.Module) -> Iterator[Any]:
    """The value of every memory in ``module`` and its submodules, in the tree's order."""
    for _, value in named_memories(module):
        yield value


def extract_memories(module: nn.Module) -> list[Any]:
    """The values of all memories as a list, for :func:`load_memories`."""
    return list(memories(module))


def load_memories(module: nn.Module, values: Sequence[Any]) -> None:
    """Assign all memories from a list made by :func:`extract_memories`.

    Raises:
        ValueError: The number of values is not the number of memories.
    """
    places = [(owner, name) for _, owner in _owners(module) for name, _ in owner.named_memories()]
    if len(values) != len(places):
        raise ValueError(
            f"{type(module).__name__} has {len(places)} memories, got {len(values)} values: pass "
            "the list that extract_memories(module) returned"
        )
    for (owner, name), value in zip(places, values, strict=True):
        owner.load_memory(name, value)


def to_functional_forward(
    module: nn.Module, fn: Callable[..., Any] | None = None
) -> Callable[..., tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Turn a module with inner state into a function that takes and returns the states.

    The function is ``(inputs, states, **kwargs) -> (outputs, new_states)``, all tuples; the
    order of the states is that of :func:`extract_memories`. The module's own states are put
    back afterwards. torch.func transforms and checkpoints can be built on it.

    Arguments:
        module: The module, of which other threads must not make use meanwhile.
        fn: The forward to run instead of ``module`` itself.

    Raises:
        ValueError: (when called) the number of states is not the number of memories.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> step = to_functional_forward(neuron.IFNode())
        >>> step((torch.tensor([0.6]),), (torch.tensor([0.5]),))
        ((tensor([1.]),), (tensor([0.]),))
    """
    run = module if fn is None else fn

    def functional_forward(
        inputs: Sequence[Any], states: Sequence[Any], **kwargs: Any
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        owners = [owner for _, owner in _owners(module)]
        entering = [(dict(owner._memories), dict(owner._records)) for owner in owners]
        try:
            load_memories(module, states)
            with explicit_states(module):
                outputs = run(*inputs, **kwargs)
            new_states = tuple(extract_memories(module))
        finally:
            for owner, (values, records) in zip(owners, entering, strict=True):
                owner._memories, owner._records = values, records
        return (outputs if isinstance(outputs, tuple) else (outputs,)), new_states

    return functional_forward


def _owners(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, MemoryModule]]:
    for path, owner in module.named_modules(prefix=prefix):
        if isinstance(owner, MemoryModule):
            yield path, owner
