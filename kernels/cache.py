"""Keeps the traces of each node and the programs made of them, as long as they hold."""

import weakref
from collections.abc import Sequence
from typing import Any

import torch

from .guards import Guards
from .parameters import Parameters
from .program import Program, compile_trace
from .trace import Trace, trace
from .untraceable import Untraceable
from .verify import verify

__all__ = ["Traced", "traced"]

# A node that is switched to and fro (training, a flag) finds its older traces again.
MOST_KEPT = 4


class Traced:
    """A node's trace, or the reason why it has none, and the programs made of it."""

    def __init__(self, made: Trace | None, reason: str | None, guards: Guards) -> None:
        self.trace, self.reason, self.guards = made, reason, guards
        self.parameters = Parameters([] if made is None else [u for u, _ in made.parameters])
        self._programs: dict[Any, Program] = {}

    def program(
        self,
        sequences: Sequence[int],
        differentiated: Sequence[int] | None,
        rounded: bool = False,
    ) -> Program:
        """The program with these states' sequences kept and these parameters differentiated.

        Arguments:
            sequences: Numbers of states.
            differentiated: Numbers of parameters; None for a program without a backward.
            rounded: Whether saved values are rounded to 16 bits.
        """
        wanted = None if differentiated is None else tuple(differentiated)
        key = (tuple(sequences), wanted, rounded)
        if key not in self._programs:
            if self.trace is None:
                raise RuntimeError(self.reason)
            self._programs[key] = compile_trace(
                self.trace,
                sequences=sequences,
                differentiated=differentiated or (),
                backward=differentiated is not None,
                rounded=rounded,
            )
        return self._programs[key]


# Apart from the nodes, so that copies and pickles of them carry none.
_TRACED: "weakref.WeakKeyDictionary[Any, dict[Any, tuple[Traced, ...]]]"
_TRACED = weakref.WeakKeyDictionary()


def traced(node: Any, n_inputs: int = 1, double: bool = False) -> Traced:
    """The node's trace, made again where what it took for granted no longer holds.

    Two threads that trace the same node make two traces, of which one is kept.

    Arguments:
        node: The node.
        n_inputs: The number of inputs of a step.
        double: Whether its state is float64, else float32.
    """
    known = _TRACED.setdefault(node, {})
    key = (n_inputs, double, torch.get_default_dtype())
    kept = known.get(key, ())
    for found in kept:
        if found.guards.hold(node):
            return found
    made = _trace(node, n_inputs, double)
    known[key] = (made, *kept)[:MOST_KEPT]
    return made


def _trace(node: Any, n_inputs: int, double: bool) -> Traced:
    guards = Guards()
    try:
        memories = tuple(name for name, _ in node.named_memories())
        made = trace(node, memories, n_inputs, double, guards)
        found = Traced(made, None, guards)
        verify(node, made, found.program)
    except Untraceable as error:
        return Traced(None, str(error), guards)
    return found
