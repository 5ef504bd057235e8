r"""Runs a sequence whose samples end at different steps: a state stays where its sample ended."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .. import kernels

__all__ = ["loop_over_mask", "run_over_mask", "runs_samples_apart"]

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


def runs_samples_apart(module: Any, x_seq: Tensor) -> bool:
    """Whether some samples of a sequence can be run without the others: a program is elementwise.

    One that keeps its states, or has a parameter for each sample, takes them all.
    """
    if not hasattr(module, "supported_backends") or module.kept_states:
        return False
    if module.backend == "eager" or kernels.why_not(module, "torch", x_seq.device) is not None:
        return False
    rank = x_seq.dim() - 1
    tensors = (*module.parameters(), *module.buffers())
    return all(t.dim() < rank or t.shape[-rank] == 1 for t in tensors)


def run_over_mask(
    run: Callable[..., Tensor], module: Any, input_seqs: Sequence[Tensor], mask: Tensor
) -> Tensor:
    r"""Run a module over the stretches of time in which the same samples go on.

    Arguments:
        run: Runs ``module`` on sequences [t, n, \*] of some of the samples.
        module: What remembers, one for which :func:`runs_samples_apart`.
        input_seqs: Sequences [T, N, \*] of the same T.
        mask: True where a sample goes on, [T, N].

    Returns:
        The outputs [T, N, \*], zeros where a sample has ended.
    """
    changes = (mask[1:] != mask[:-1]).any(1).nonzero().flatten() + 1
    borders = [0, *changes.tolist(), len(mask)]
    outputs = []
    for start, end in pairwise(borders):
        alive = mask[start].nonzero().flatten()
        seqs = [seq[start:end] for seq in input_seqs]
        outputs.append(_run_some(run, module, seqs, alive))
    return torch.cat(outputs)


def _run_some(
    run: Callable[..., Tensor], module: Any, seqs: Sequence[Tensor], alive: Tensor
) -> Tensor:
    """Outputs of all samples, of which some run and keep their states."""
    samples = seqs[0].shape[1]
    if len(alive) == samples:
        return run(*seqs)
    if len(alive) == 0:
        first = seqs[0]
        return torch.zeros_like(first if first.is_floating_point() else first.float())
    before = {name: getattr(module, name) for name in module.shaped_memories()}
    for name, state in list(module.kept_memories()):
        if name in before and isinstance(state, Tensor):
            setattr(module, name, state.index_select(0, alive))
    try:
        spikes = run(*[seq.index_select(1, alive) for seq in seqs])
    except Exception:
        for name, state in before.items():
            module.load_memory(name, state)
        raise
    for name, state in before.items():
        setattr(module, name, _put_back(state, getattr(module, name), alive, samples))
    whole = spikes.new_zeros(len(spikes), samples, *spikes.shape[2:])
    return whole.index_copy(1, alive, spikes)


def _put_back(before: Any, after: Any, alive: Tensor, samples: int) -> Any:
    if not isinstance(after, Tensor):
        return after
    # A number, or a reset value, is that of all samples.
    first = torch.as_tensor(before, dtype=after.dtype, device=after.device)
    return first.expand(samples, *after.shape[1:]).index_copy(0, alive, after)


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
