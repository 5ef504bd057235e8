"""The loop over time of a neuron's own lines: the definition every other backend is held to."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["loop_over_time", "run"]


def loop_over_time(step: Callable[..., Any], input_seqs: Sequence[Tensor]) -> Any:
    r"""Call ``step`` on every step of the sequences and stack what it returns.

    The sequences are unbound once: indexing them as ``x_seq[t]`` would make every step's
    backward add a gradient of the whole sequence, quadratic in T.

    Arguments:
        step: Takes one step of each sequence, [N, \*]; returns a tensor or a tuple of tensors.
        input_seqs: Sequences [T, N, \*] of the same T.

    Returns:
        The stacked outputs, [T, N, \*] each.

    Raises:
        ValueError: There is no sequence, no time dimension, no step, or T differs.
    """
    check_sequences(input_seqs)
    steps = zip(*(seq.unbind(0) for seq in input_seqs), strict=True)
    outputs = [step(*inputs) for inputs in steps]
    if isinstance(outputs[0], tuple):
        return tuple(torch.stack(parts) for parts in zip(*outputs, strict=True))
    return torch.stack(outputs)


def run(node: Any, input_seqs: Sequence[Tensor]) -> Tensor:
    """Run a node over its inputs; ``node.eager_step`` is one step on its own memories.

    Raises:
        RuntimeError: The node is to save its input only, which autograd of its lines does not.
    """
    if node.save != "auto":
        _check_nothing_is_saved(node, input_seqs)
    spikes: Tensor = loop_over_time(node.eager_step, input_seqs)
    return spikes


def _check_nothing_is_saved(node: Any, input_seqs: Sequence[Tensor]) -> None:
    given = (*input_seqs, *node.parameters())
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given):
        raise RuntimeError(
            f"{type(node).__name__} has save={node.save!r}, but runs by its own lines here, of "
            "which autograd saves every step (kernels.explain(net) tells why): set save='auto', "
            "or run it inside spikeframe.memory.checkpoint"
        )


def check_sequences(input_seqs: Sequence[Tensor]) -> None:
    """Raise a ValueError unless all inputs are sequences of the same number of steps, not 0."""
    shapes = [list(seq.shape) for seq in input_seqs]
    if not shapes or any(len(shape) < 1 for shape in shapes):
        raise ValueError(
            f"a multi-step input is a sequence [T, N, *], got shapes {shapes}: add the time "
            "dimension, or use step_mode='s' for one step"
        )
    steps = shapes[0][0]
    # By comparisons, as torch.compile takes a number that is put into a set for a constant.
    if any(shape[0] != steps for shape in shapes):
        raise ValueError(
            f"all sequences must have the same number of steps T, got shapes {shapes}"
        )
    if steps == 0:
        raise ValueError(f"a sequence needs at least one step, got T=0 in shapes {shapes}")
