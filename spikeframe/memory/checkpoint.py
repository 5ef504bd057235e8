"""Trades time for memory in training without losing the states."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.checkpoint import checkpoint as recompute

from .. import base, kernels
from ..base.entry import same_calls
from .bits import Bits
from .packed import keep, restore

__all__ = ["Checkpointed", "checkpoint", "checkpoint_chunks"]


def checkpoint(module: nn.Module, *inputs: Any, **kwargs: Any) -> Any:
    """Run ``module`` without keeping its activations; the backward computes them again.

    Plain ``torch.utils.checkpoint`` would recompute a stateful module from its final state, and
    would count the batch in batch norm's running statistics a second time. Here the entering
    states are arguments of the recomputation and buffers are left alone, so outputs, gradients,
    and the states and buffers left behind are those of ``module(*inputs)``. Of the inputs, those
    that a neuron fired are kept as bits. Recorded sequences (``v_seq``) are dropped.

    Arguments:
        module: A module, stateful or not.
        inputs: Its inputs.
        kwargs: Its keyword arguments.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> node = neuron.LIFNode(step_mode="m")
        >>> x_seq = torch.rand(4, 2, requires_grad=True)
        >>> checkpoint(node, x_seq).sum().backward()
    """
    return _checkpoint(module, module, inputs, kwargs)


def checkpoint_chunks(module: nn.Module, x_seq: Tensor, steps: int) -> Tensor:
    r"""Run a long sequence in chunks of ``steps`` steps, each a :func:`checkpoint`.

    What is kept is the input, and the states between chunks; the backward has the activations of
    one chunk at a time. Outputs and gradients are those of one call, but for batch norm in
    training, whose statistics are those of a chunk.

    Arguments:
        module: A module with step_mode 'm'.
        x_seq: The sequence, [T, N, \*].
        steps: Steps per chunk, at least 1; the last chunk may be shorter.
    Raises:
        ValueError: ``steps`` is not a positive int, or the input has no steps.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> node = neuron.LIFNode(step_mode="m")
        >>> x_seq = torch.rand(100, 2, requires_grad=True)
        >>> checkpoint_chunks(node, x_seq, 10).sum().backward()
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be an int of at least 1, got {steps!r}")
    kernels.check_sequences((x_seq,))
    return torch.cat([checkpoint(module, chunk) for chunk in x_seq.split(steps)])


class Checkpointed(nn.Sequential):
    """Modules in turn, as one :func:`checkpoint` in training.

    Around batch norm and neuron, it keeps the norm's input alone, and the recomputation is cheap;
    around a whole block, it keeps the block's input.

    Arguments:
        args: Modules, or one OrderedDict of them.

    Example:
        >>> from spikeframe import layer, neuron
        >>> block = Checkpointed(layer.BatchNorm1d(8, step_mode="m"), neuron.IFNode(step_mode="m"))
        >>> block(torch.rand(4, 2, 8, requires_grad=True)).sum().backward()
    """

    def forward(self, input: Any) -> Any:
        """The modules in turn."""
        if not torch.is_grad_enabled():
            return super().forward(input)
        return _checkpoint(self, super().forward, (input,), {})


def _checkpoint(module: nn.Module, forward: Any, inputs: Any, kwargs: dict[str, Any]) -> Any:
    states = tuple(base.extract_memories(module))
    run = _Recomputed(module, forward, (inputs, states, kwargs))
    outputs, new_states = recompute(run, _on_devices(inputs), use_reentrant=False)
    run.keep()
    base.load_memories(module, new_states)
    for owner in module.modules():
        if isinstance(owner, base.MemoryModule):
            owner.forget_records()
    return outputs[0] if len(outputs) == 1 else outputs


class _Recomputed:
    """Runs a module from the same inputs and states as often as it is called."""

    def __init__(self, module: nn.Module, forward: Any, values: Any) -> None:
        self._module, self._values = module, values
        self._run = base.to_functional_forward(module, forward)
        self._calls = same_calls()
        self._again = False

    def __call__(self, devices: Sequence[Tensor]) -> Any:
        """The outputs and the new states. ``devices`` tells torch whose random state to keep."""
        inputs, states, kwargs = tree_map(_restored, self._values, is_leaf=_is_kept)
        buffers = _spare_buffers(self._module) if self._again else contextlib.nullcontext()
        with self._calls(), buffers:
            return self._run(inputs, states, **kwargs)

    def keep(self) -> None:
        """From now on keep no more than what a further call needs."""
        self._values = tree_map(_kept, self._values)
        self._again = True


class _Kept:
    """A tensor kept as bits, and whether it takes a gradient."""

    def __init__(self, x: Tensor) -> None:
        self.bits, self.requires_grad = keep(x), x.requires_grad


def _kept(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    kept = _Kept(value)
    return kept if isinstance(kept.bits, Bits) else value


def _restored(value: Any) -> Any:
    if not isinstance(value, _Kept):
        return value
    return restore(value.bits).requires_grad_(value.requires_grad)


def _is_kept(value: Any) -> bool:
    return isinstance(value, _Kept)


def _on_devices(inputs: Any) -> list[Tensor]:
    return [x.new_empty(0) for x in tree_leaves(inputs) if isinstance(x, Tensor)]


@contextlib.contextmanager
def _spare_buffers(module: nn.Module) -> Iterator[None]:
    """Let a run change copies of the buffers in place of themselves."""
    owners = [m for m in module.modules() if m._buffers]
    entering = [dict(owner._buffers) for owner in owners]
    try:
        for owner in owners:
            for name, buffer in owner._buffers.items():
                owner._buffers[name] = None if buffer is None else buffer.clone()
        yield
    finally:
        for owner, buffers in zip(owners, entering, strict=True):
            owner._buffers.update(buffers)
