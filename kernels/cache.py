"""Keeps the trace of each node and the programs made of it, as long as they hold."""

import weakref
from collections.abc import Sequence
from typing import Any

from .program import Program, compile_trace
from .symbol import Untraceable
from .trace import Trace, trace
from .verify import verify

__all__ = ["Traced", "traced"]


class Traced:
    """A node's trace, or the reason why it has none, and the programs made of it."""

    def __init__(self, made: Trace | None, reason: str | None) -> None:
        self.trace, self.reason = made, reason
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
    if found is None or found.trace is None or not found.trace.guards.hold(node):
        found = known[n_inputs] = _trace(node, n_inputs)
    return found


def _trace(node: Any, n_inputs: int) -> Traced:
    try:
        made = trace(node, tuple(name for name, _ in node.named_memories()), n_inputs)
        found = Traced(made, None)
        verify(node, made, found.program((), _all_parameters(made)))
    except Untraceable as error:
        return Traced(None, str(error))
    return found


def _all_parameters(made: Trace) -> list[int]:
    return [
        i
        for i, (uniform, _) in enumerate(made.parameters)
        if getattr(uniform.value, "requires_grad", False)
    ]
