"""Trades time for memory in training without losing the states."""

from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint as recompute

from . import base

__all__ = ["checkpoint"]


def checkpoint(module: nn.Module, *inputs: Any, **kwargs: Any) -> Any:
    """Run ``module`` without keeping its activations; the backward computes them again.

    Plain ``torch.utils.checkpoint`` would recompute a stateful module from its final state. Here
    the entering states are arguments of the recomputation, so outputs, gradients and the states
    left behind are those of ``module(*inputs)``. Recorded sequences (``v_seq``) are dropped.

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
    run = base.to_functional_forward(module)
    states = tuple(base.extract_memories(module))
    outputs, new_states = recompute(run, inputs, states, use_reentrant=False, **kwargs)
    base.load_memories(module, new_states)
    for owner in module.modules():
        if isinstance(owner, base.MemoryModule):
            owner.forget_records()
    return outputs[0] if len(outputs) == 1 else outputs
