r"""Stands between a call of a module and its own forward: folded time, lengths, torch.fx.

Time is folded where :class:`spikeframe.layer.MultiStep` hands a model [T N, \*] in place of
[T, N, \*]. What runs inside learns T here, so it needs no argument and no attribute of its own.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx import Proxy
from torch.utils._pytree import tree_map_only

from .location import Location
from .ragged import loop_over_mask, run_over_mask, runs_samples_apart

__all__ = [
    "Fold",
    "current_fold",
    "current_mask",
    "entered",
    "fold",
    "folded_time",
    "mask_for",
    "masked_samples",
    "same_calls",
    "unfold",
]

Forward = Callable[..., Any]


class Fold(NamedTuple):
    """How time is folded into the batch: steps outermost."""

    steps: int
    batch: int


class _Now(NamedTuple):
    """What holds for a call.

    Arguments:
        fold: How time is folded into the batch, or None.
        mask: Where samples go on, [T, N], or None where all have the same length.
    """

    fold: Fold | None
    mask: Tensor | None


class _Calls(threading.local):
    """What holds for the calls of one thread, or None. (torch.compile follows no ContextVar.)"""

    def __init__(self) -> None:
        self.now: _Now | None = None


_CALLS = _Calls()


def current_fold() -> Fold | None:
    """How time is folded into the batch of what runs now; None where it is not."""
    return None if _CALLS.now is None else _CALLS.now.fold


def current_mask() -> Tensor | None:
    """Where the samples of what runs now go on, [T, N]; None where all have the same length."""
    return None if _CALLS.now is None else _CALLS.now.mask


@contextlib.contextmanager
def folded_time(fold: Fold) -> Iterator[None]:
    r"""Within it, inputs are [T N, \*]."""
    with _calls(_Now(fold, current_mask())):
        yield


@contextlib.contextmanager
def masked_samples(mask: Tensor | None) -> Iterator[None]:
    """Within it, samples end where ``mask`` [T, N] says; within None, none does."""
    with _calls(None if mask is None else _Now(None, mask)):
        yield


def same_calls() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """What holds now, for a later call: ``same = same_calls()``, then ``with same():``."""
    now = _CALLS.now
    return lambda: _calls(now)


@contextlib.contextmanager
def _calls(now: _Now | None) -> Iterator[None]:
    entering = _CALLS.now
    _CALLS.now = now
    try:
        yield
    finally:
        _CALLS.now = entering


def entered(forward: Forward) -> Forward:
    """The ``forward`` of a step module, as its calls enter it.

    Where time is folded, a module that needs the steps (one that remembers, or has step_mode 'm')
    gets the sequence and its output is folded again. Where samples have lengths, one that
    remembers runs step by step. To torch.fx a module is one operation.
    """

    @functools.wraps(forward)
    def enter(self: Any, *inputs: Any, **kwargs: Any) -> Any:
        # Of a root that takes *inputs, torch.fx makes one symbol.
        if type(inputs) is not tuple or (inputs and isinstance(inputs[0], Proxy)):
            return _one_operation(self, inputs, kwargs)
        if _CALLS.now is None:
            return forward(self, *inputs, **kwargs) if kwargs else forward(self, *inputs)
        return _enter(self, _CALLS.now, forward, inputs, kwargs)

    return enter


def fold(x_seq: Tensor) -> Tensor:
    r"""[T, N, \*] -> [T N, \*]: a view where the strides allow it, else one copy.

    The copy keeps channels_last, which ``flatten`` would lose.
    """
    steps, batch = x_seq.shape[:2]
    if steps == 1 or batch == 1 or x_seq.stride(0) == batch * x_seq.stride(1):
        return x_seq.flatten(0, 1)
    return torch.cat(x_seq.unbind(0))


def unfold(x: Tensor, steps: int) -> Tensor:
    r"""[T N, \*] -> [T, N, \*]."""
    return x.unflatten(0, (steps, x.shape[0] // steps))


def _enter(module: Any, now: _Now, forward: Forward, inputs: Any, kwargs: Any) -> Any:
    if now.fold is not None and (module.remembers or module.step_mode == "m"):
        return _unfolded(module, now.fold, now.mask, forward, inputs, kwargs)
    if now.fold is None and module.remembers and module.step_mode == "m":
        return _over_time(module, now.mask, forward, inputs, kwargs)
    return forward(module, *inputs, **kwargs)


def _unfolded(
    module: Any, now: Fold, mask: Tensor | None, forward: Forward, inputs: Any, kwargs: Any
) -> Any:
    def unfolded(x: Tensor) -> Tensor:
        _check_batch(module, x, now)
        return unfold(x, now.steps)

    inputs, kwargs = tree_map_only(Tensor, unfolded, (inputs, kwargs))
    outputs = _over_time(module, mask, forward, inputs, kwargs)
    return tree_map_only(Tensor, fold, outputs)


def _over_time(
    module: Any, mask: Tensor | None, forward: Forward, inputs: Any, kwargs: Any
) -> Any:
    """Run a forward on sequences, whatever the module's step mode is."""
    if mask is None:
        with _calls(None), _step_mode(module, "m"):
            return forward(module, *inputs, **kwargs)
    if not module.remembers:
        with _calls(_Now(None, mask)), _step_mode(module, "m"):
            return forward(module, *inputs, **kwargs)
    return _masked(module, mask, forward, inputs, kwargs)


def _masked(module: Any, mask: Tensor, forward: Forward, inputs: Any, kwargs: Any) -> Any:
    if "s" not in module.supported_step_mode():
        raise ValueError(
            f"{Location(module)} needs all steps of a sequence at once, so samples cannot end at "
            "different steps: give it sequences of one length"
        )
    for inner in module.modules():
        if getattr(inner, "remembers", False):
            inner.forget_records()
    if runs_samples_apart(module, inputs[0]):
        with _calls(None), _step_mode(module, "m"):
            own = mask_for(mask, inputs[0])
            return run_over_mask(lambda *x: forward(module, *x, **kwargs), module, inputs, own)
    with _calls(None), _step_mode(module, "s"):
        return loop_over_mask(
            lambda *x: forward(module, *x, **kwargs), module, inputs, mask_for(mask, inputs[0])
        )


def mask_for(mask: Tensor, x_seq: Tensor) -> Tensor:
    r"""The mask [T, N] for a sequence [T, n N, \*], of which each sample has n parts."""
    steps, batch = mask.shape
    if x_seq.dim() < 2 or x_seq.shape[0] != steps or x_seq.shape[1] % batch:
        raise ValueError(
            f"the lengths are those of {batch} samples and at most {steps} steps, got a sequence "
            f"of shape {list(x_seq.shape)}: pass sequences [T, N, *] of that T and N"
        )
    return mask.repeat_interleave(x_seq.shape[1] // batch, 1)


@contextlib.contextmanager
def _step_mode(module: Any, step_mode: str) -> Iterator[None]:
    entering = module.step_mode
    if entering == step_mode:
        yield
        return
    module.step_mode = step_mode
    try:
        yield
    finally:
        module.step_mode = entering


def _check_batch(module: Any, x: Tensor, now: Fold) -> None:
    folded = now.steps * now.batch
    if x.dim() == 0 or x.shape[0] == 0 or x.shape[0] % folded:
        raise ValueError(
            f"{Location(module)} runs where time is folded into the batch (layer.MultiStep, T="
            f"{now.steps}, N={now.batch}), so its input must be [T N, *], first dimension "
            f"{folded} or a multiple of it, got {list(x.shape)}: keep the batch the first "
            "dimension in front of it (x.transpose), or take it out of the model that is folded"
        )


def _one_operation(module: Any, inputs: Any, kwargs: Any) -> Any:
    tracer: Any = inputs.tracer if isinstance(inputs, Proxy) else inputs[0].tracer
    if getattr(tracer, "root", None) is module:
        raise TypeError(
            f"{type(module).__name__} is one operation to torch.fx, which cannot look inside: "
            "trace a net that contains it (of a layer.MultiStep, its model)"
        )
    path = tracer.path_of_module(module)
    return tracer.create_proxy("call_module", path, inputs, kwargs)
