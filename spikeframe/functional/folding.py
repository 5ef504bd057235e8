r"""Runs a model written for one step over a sequence: once, with time folded into the batch."""

import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from .. import base, kernels
from ..base.entry import Fold, fold, folded_time, unfold
from ..base.location import Location

__all__ = ["folded_forward", "warn_of_foreign_memories"]


def folded_forward(owner: nn.Module, run: Callable[..., Any], *inputs: Any, **kwargs: Any) -> Any:
    r"""Call ``run`` on [T N, \*] in place of [T, N, \*]; modules of ours in it know of it.

    Those that remember (neurons) get the sequence back; everything else takes T N samples.

    Arguments:
        owner: Who asks, for error messages.
        run: A function of one step, such as a model's forward.
        inputs: Its arguments; every tensor in them, in lists and dicts too, is [T, N, \*].
        kwargs: Its keyword arguments, likewise.

    Returns:
        What ``run`` returned, the tensors [T N, \*] in it unfolded; a scalar has no time and
        stays as it is.

    Raises:
        ValueError: There is no sequence of batches, T or N differ, or an output has lost time.
    """
    seqs = [x for x in tree_leaves((inputs, kwargs)) if isinstance(x, Tensor)]
    now = _fold_of(owner, seqs)
    inputs, kwargs = tree_map_only(Tensor, fold, (inputs, kwargs))
    with folded_time(now):
        outputs = run(*inputs, **kwargs)
    return tree_map_only(Tensor, lambda y: _unfold_output(owner, y, now), outputs)


def warn_of_foreign_memories(owner: nn.Module, model: nn.Module) -> None:
    """Warn of modules that may remember something without being a module of ours."""
    foreign = [
        f"{name or 'itself'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if callable(getattr(module, "reset", None)) and not isinstance(module, base.StepModule)
    ]
    if foreign:
        warnings.warn(
            f"{type(owner).__name__} folds time into the batch, of which these know nothing: "
            f"{', '.join(foreign)}. They have a reset() of their own, and what remembers "
            "something would take all steps for samples: put a module of spikeframe in its place",
            stacklevel=3,
        )


def _fold_of(owner: nn.Module, seqs: list[Tensor]) -> Fold:
    shapes = [list(seq.shape) for seq in seqs]
    if not seqs or any(len(shape) < 2 for shape in shapes):
        raise ValueError(
            f"{Location(owner)} with step_mode 'm' takes sequences [T, N, *], got tensors of "
            f"shapes {shapes}: of one step make a sequence by x.expand(T, *x.shape) or an "
            "encoder, or call functional.set_step_mode(net, 's')"
        )
    kernels.check_sequences(seqs)
    if len({shape[1] for shape in shapes}) > 1:
        raise ValueError(
            f"{Location(owner)} folds [T, N, *] of equal T and N, got tensors of shapes {shapes}"
        )
    return Fold(*seqs[0].shape[:2])


def _unfold_output(owner: nn.Module, y: Tensor, now: Fold) -> Tensor:
    if y.dim() == 0:
        return y
    if y.shape[0] != now.steps * now.batch:
        raise ValueError(
            f"{Location(owner)} folded T={now.steps} steps of N={now.batch} samples into a batch "
            f"of {now.steps * now.batch}, but an output has shape {list(y.shape)}: the model must "
            "keep the batch its first dimension and not reduce over it; what handles time (a mean "
            "over steps) belongs behind the folded model"
        )
    return unfold(y, now.steps)
