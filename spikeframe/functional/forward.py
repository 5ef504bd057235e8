"""Runs modules over sequences: a step at a time, all steps folded into the batch, in chunks."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import base, kernels
from ..base.entry import current_mask, mask_for, masked_samples
from ..base.ragged import loop_over_mask
from .sequence import fold, unfold

__all__ = [
    "chunk_multi_step_forward",
    "multi_step_forward",
    "seq_to_ann_forward",
    "t_last_multi_step_forward",
    "t_last_seq_to_ann_forward",
]

Modules = nn.Module | Callable[..., Any] | Sequence[nn.Module | Callable[..., Any]]


def multi_step_forward(x_seq: Tensor | Sequence[Tensor], single_step_module: Modules) -> Any:
    r"""Feed a sequence step by step to single-step modules and stack the outputs.

    Arguments:
        x_seq: The sequence, [T, N, \*], or several of the same T, passed side by side.
        single_step_module: A module with step_mode 's', or a sequence of them applied in turn.
    Shape:
        output: [T, N, \*].
    Raises:
        ValueError: The input has no steps, or a module has step_mode 'm'.

    Example:
        >>> from spikeframe import neuron
        >>> multi_step_forward(torch.full((3, 1), 0.6), neuron.IFNode()).flatten()
        tensor([0., 1., 0.])
    """
    modules = _as_list(single_step_module)
    for module in modules:
        _refuse_mode(module, "m", "multi_step_forward runs one step at a time")
    seqs = (x_seq,) if isinstance(x_seq, Tensor) else tuple(x_seq)
    mask = current_mask()
    if mask is None:
        return kernels.loop_over_time(lambda *x: _chain(x, modules), seqs)
    kernels.check_sequences(seqs)
    owners = nn.ModuleList(module for module in modules if isinstance(module, nn.Module))
    with masked_samples(None):
        mask = mask_for(mask, seqs[0])
        return loop_over_mask(lambda *x: _chain(x, modules), owners, seqs, mask)


def t_last_multi_step_forward(x_seq: Tensor, single_step_module: Modules) -> Tensor:
    r""":func:`multi_step_forward` for a sequence whose time is its last dimension, [N, \*, T]."""
    return _last_to_first(x_seq, lambda seq: multi_step_forward(seq, single_step_module))


def seq_to_ann_forward(x_seq: Tensor | Sequence[Tensor], stateless_module: Modules) -> Any:
    r"""Fold time into the batch, run stateless modules once, and unfold.

    Arguments:
        x_seq: The sequence, [T, N, \*], or several of the same T and N, passed side by side.
        stateless_module: A module without memories, or a sequence of them applied in turn.
    Shape:
        output: [T, N, \*].
    Raises:
        ValueError: A module remembers something: time folded into the batch would be read as
            independent samples. Or an input is no sequence of batches.

    Example:
        >>> seq_to_ann_forward(torch.zeros(4, 2, 3), nn.Linear(3, 5)).shape
        torch.Size([4, 2, 5])
    """
    modules = _as_list(stateless_module)
    for module in modules:
        refuse_memories(module, "seq_to_ann_forward")
    seqs = (x_seq,) if isinstance(x_seq, Tensor) else tuple(x_seq)
    kernels.check_sequences(seqs)
    shapes = [list(seq.shape) for seq in seqs]
    if any(len(shape) < 2 for shape in shapes) or len({shape[1] for shape in shapes}) > 1:
        raise ValueError(f"seq_to_ann_forward takes [T, N, *] of equal T and N, got {shapes}")
    return unfold(_chain(tuple(map(fold, seqs)), modules), seqs[0])


def t_last_seq_to_ann_forward(x_seq: Tensor, stateless_module: Modules) -> Tensor:
    r""":func:`seq_to_ann_forward` for a sequence whose time is its last dimension, [N, \*, T]."""
    return _last_to_first(x_seq, lambda seq: seq_to_ann_forward(seq, stateless_module))


def chunk_multi_step_forward(split_size: int, x_seq: Tensor, multi_step_module: Modules) -> Tensor:
    r"""Feed a long sequence to multi-step modules in chunks of ``split_size`` steps.

    The states carry over, so the result is that of one call; less is in memory at a time. A
    node's ``v_seq`` is that of the last chunk.

    Arguments:
        split_size: Steps per chunk, at least 1; the last chunk may be shorter.
        x_seq: The sequence, [T, N, \*].
        multi_step_module: A module with step_mode 'm', or a sequence of them applied in turn.
    Shape:
        output: [T, N, \*].
    Raises:
        ValueError: The split size is not a positive int, the input has no steps, or a module has
            step_mode 's'.
    """
    if isinstance(split_size, bool) or not isinstance(split_size, int) or split_size < 1:
        raise ValueError(f"split_size must be an int of at least 1, got {split_size!r}")
    kernels.check_sequences((x_seq,))
    modules = _as_list(multi_step_module)
    for module in modules:
        _refuse_mode(module, "s", "chunk_multi_step_forward passes sequences")
    return torch.cat([_chain(chunk, modules) for chunk in x_seq.split(split_size)])


def refuse_memories(module: Any, caller: str) -> None:
    """Raise a ValueError where ``module`` holds memories, which folded time would corrupt."""
    inner = module.named_modules() if isinstance(module, nn.Module) else ()
    found = [f"{name or 'itself'} ({type(m).__name__})" for name, m in inner if _remembers(m)]
    if found:
        raise ValueError(
            f"{caller} folds time into the batch, so the modules in it must be stateless, got "
            f"{', '.join(found)}: take it out and give it step_mode 'm', or use a step-by-step "
            "container such as layer.MultiStepContainer"
        )


def _remembers(module: nn.Module) -> bool:
    return isinstance(module, base.MemoryModule) and bool(dict(module.named_memories()))


def _refuse_mode(module: Any, step_mode: str, why: str) -> None:
    inner = module.named_modules() if isinstance(module, nn.Module) else ()
    wanted = "s" if step_mode == "m" else "m"
    found = [
        f"{name or 'itself'} ({type(m).__name__})"
        for name, m in inner
        if isinstance(m, base.MemoryModule) and m.step_mode == step_mode
    ]
    if found:
        raise ValueError(
            f"{why}, but these have step_mode {step_mode!r}: {', '.join(found)}. Set theirs to "
            f"{wanted!r}, with functional.set_step_mode(net, {wanted!r}) for a whole net"
        )


def _as_list(modules: Modules) -> list[Callable[..., Any]]:
    if isinstance(modules, list | tuple | nn.ModuleList) or (
        isinstance(modules, Iterable) and not isinstance(modules, nn.Module)
    ):
        return list(modules)
    return [modules]


def _chain(x: Any, modules: Sequence[Callable[..., Any]]) -> Any:
    for module in modules:
        x = module(*x) if isinstance(x, tuple) else module(x)
    return x


def _last_to_first(x_seq: Tensor, run: Callable[[Tensor], Tensor]) -> Tensor:
    if x_seq.dim() < 2:
        raise ValueError(f"a sequence with time last is [N, *, T], got {list(x_seq.shape)}")
    return run(x_seq.movedim(-1, 0)).movedim(0, -1)
