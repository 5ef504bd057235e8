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

__all__ = ["Fold", "current_fold", "entered", "fold", "folded_time", "unfold"]

Forward = Callable[..., Any]


class Fold(NamedTuple):
    """How time is folded into the batch: steps outermost."""

    steps: int
    batch: int


class _Calls(threading.local):
    """What holds for the calls of one thread. (torch.compile follows no ContextVar.)"""

    def __init__(self) -> None:
        self.fold: Fold | None = None


_CALLS = _Calls()


def current_fold() -> Fold | None:
    """How time is folded into the batch of what runs now; None where it is not."""
    return _CALLS.fold


@contextlib.contextmanager
def folded_time(fold: Fold | None) -> Iterator[None]:
    r"""Within it, inputs are [T N, \*]; within None, they are as step modes say."""
    entering = _CALLS.fold
    _CALLS.fold = fold
    try:
        yield
    finally:
        _CALLS.fold = entering


def entered(forward: Forward) -> Forward:
    """The ``forward`` of a step module, as its calls enter it.

    Where time is folded, a module that needs the steps (one that remembers, or has step_mode 'm')
    gets the sequence and its output is folded again. To torch.fx it is one operation.
    """

    @functools.wraps(forward)
    def enter(self: Any, *inputs: Any, **kwargs: Any) -> Any:
        # Of a root that takes *inputs, torch.fx makes one symbol.
        if type(inputs) is not tuple or (inputs and isinstance(inputs[0], Proxy)):
            return _one_operation(self, inputs, kwargs)
        if _CALLS.fold is None or not _needs_steps(self):
            return forward(self, *inputs, **kwargs)
        return _unfolded(self, _CALLS.fold, forward, inputs, kwargs)

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


def _needs_steps(module: Any) -> bool:
    return module.remembers or module.step_mode == "m"


def _unfolded(module: Any, now: Fold, forward: Forward, inputs: Any, kwargs: Any) -> Any:
    def unfolded(x: Tensor) -> Tensor:
        _check_batch(module, x, now)
        return unfold(x, now.steps)

    inputs, kwargs = tree_map_only(Tensor, unfolded, (inputs, kwargs))
    with folded_time(None):
        outputs = _over_time(module, forward, inputs, kwargs)
    return tree_map_only(Tensor, fold, outputs)


def _over_time(module: Any, forward: Forward, inputs: Any, kwargs: Any) -> Any:
    """Run a forward on sequences, whatever the module's step mode is."""
    entering = module.step_mode
    if entering == "m":
        return forward(module, *inputs, **kwargs)
    module.step_mode = "m"
    try:
        return forward(module, *inputs, **kwargs)
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
