"""Keeps the trace of each node and the programs made of it, as long as they hold."""

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from .program import Program, compile_trace
from .symbol import Untraceable
from .trace import Trace, trace
from .uniform import Guards
from .verify import verify

__all__ = ["Traced", "traced"]


class Traced:
    """A node's trace, or the reason why it has none, and the programs made of it.

    Arguments:
        guards: What the trace, or its failure, took for granted.
        trace: The trace, or None.
        reason: Why there is none, or None.
    """

    def __init__(self, guards: Guards, trace: Trace | None, reason: str | None) -> None:
        self.guards, self.trace, self.reason = guards, trace, reason
        self._programs: dict[Any, Program] = {}

    def program(self, sequences: Sequence[int], differentiated: Sequence[int] | None) -> Program:
        """The program with these states' sequences kept and these parameters differentiated.

        Arguments:
            sequences: Numbers of states.
            differentiated: Numbers of parameters; None for a program without a backward.
        """
        key = (tuple(sequences), None if differentiated is None else tuple(differentiated))
        if key not in self._programs:
            if self.trace is None:
                raise RuntimeError(self.reason)
            self._programs[key] = compile_trace(
                self.trace,
                sequences=sequences,
                differentiated=differentiated or (),
                backward=differentiated is not None,
            )
        return self._programs[key]


_TRACED: "weakref.WeakKeyDictionary[Any, dict[int, Traced]]" = weakref.WeakKeyDictionary()


def traced(node: Any, n_inputs: int = 1) -> Traced:
    """The node's trace, made again where what it took for granted no longer holds."""
    known = _TRACED.setdefault(node, {})
    found = known.get(n_inputs)
    if found is None or not found.guards.hold(node):
        found = known[n_inputs] = _trace(node, n_inputs)
    return found


def _trace(node: Any, n_inputs: int) -> Traced:
    guards, names = Guards(), tuple(name for name, _ in node.named_memories())
    try:
        with _by_itself():
            made = trace(node, names, n_inputs, guards)
            found = Traced(guards, made, None)
            verify(node, made, found.program((), _all_parameters(made)))
    except Untraceable as error:
        return Traced(guards, None, str(error))
    return found


@contextlib.contextmanager
def _by_itself() -> Iterator[None]:
    """Autograd as it is by default, whatever the call stands in.

    A checkpoint counts the tensors saved in it, and would count these the first time only.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is),
    ):
        yield


def _as_it_is(value: Any) -> Any:
    return value


def _all_parameters(made: Trace) -> list[int]:
    return [
        i
        for i, (uniform, _) in enumerate(made.parameters)
        if getattr(uniform.value, "requires_grad", False)
    ]
