"""A step as straight-line code: forward, backward, and what the one keeps for the other."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .cut import INFINITE, cheapest_cut
from .expression import Expression, gradients, leaf, order
from .program_text import to_text
from .trace import Trace

__all__ = ["Line", "Program", "compile_trace"]

# What it costs to keep a truth value, where a number costs 2 (written and read).
BIT = 0.125

# What a small error may change by a whole step.
_STEPS = ("round", "floor", "ceil", "sign")


@dataclass(frozen=True)
class Line:
    """``target = op(*operands)``; operands are names of values or numbers."""

    target: str
    op: str
    operands: tuple[str | float, ...]


@dataclass(frozen=True)
class Code:
    """Straight-line code and the names (or numbers) of its results."""

    lines: tuple[Line, ...]
    results: tuple[str | float, ...]


@dataclass(frozen=True)
class Program:
    """One step of a neuron for the backends, which put the loop over time around it.

    Names: ``x0, x1, ..`` inputs, ``v0, ..`` states, ``p0, ..`` parameters, ``k0, ..`` saved
    values, ``g0, ..`` cotangents of the outputs, ``c0, ..`` of the states.

    Arguments:
        n_inputs: Number of inputs.
        n_states: Number of states.
        n_parameters: Number of parameters.
        forward: Results: outputs, then new states, then saved values.
        n_outputs: Number of outputs: the spike, then sequences of states that are kept.
        saved: Of each saved value, "value" or "bit" (a truth value, for which a bit is enough);
            none in a program without a backward.
        saved_inputs: Which inputs the backward reads.
        backward: Results: cotangents of the inputs, the states, and the parameters of
            ``differentiated``.
        differentiated: The parameters that get a gradient.
    """

    n_inputs: int
    n_states: int
    n_parameters: int
    forward: Code
    n_outputs: int
    saved: tuple[str, ...] = ()
    saved_inputs: tuple[int, ...] = ()
    backward: Code | None = None
    differentiated: tuple[int, ...] = ()

    @property
    def n_saved(self) -> int:
        """Number of saved values."""
        return len(self.saved)

    @property
    def is_binary(self) -> bool:
        """Whether the spike is a truth value as a number, so 0 or 1 whatever comes in."""
        made = {line.target: line.op for line in self.forward.lines}
        return made.get(str(self.forward.results[0])) == "float"

    @cached_property
    def without_backward(self) -> "Program":
        """The program that gives the same outputs and states and saves nothing."""
        results = self.forward.results[: self.n_outputs + self.n_states]
        needed = set(results)
        lines: list[Line] = []
        for line in reversed(self.forward.lines):
            if line.target in needed:
                lines.append(line)
                needed.update(line.operands)
        return replace(
            self,
            forward=Code(tuple(reversed(lines)), results),
            saved=(),
            saved_inputs=(),
            backward=None,
            differentiated=(),
        )

    @cached_property
    def text(self) -> str:
        """The program as text: equal texts are equal programs."""
        return to_text(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def compile_trace(
    trace: Trace,
    *,
    sequences: Sequence[int] = (),
    differentiated: Sequence[int] = (),
    backward: bool = True,
    rounded: bool = False,
) -> Program:
    """The program of a trace.

    Arguments:
        trace: The step.
        sequences: States whose value after each step is an output as well.
        differentiated: Parameters that get a gradient.
        backward: Whether there is one.
        rounded: Whether saved values are rounded to 16 bits: no truth value is then computed
            from them, so that a spike cannot flip.
    """
    outputs = [trace.spike, *(trace.new_states[i] for i in sequences)]
    if not backward:
        code = _code([*outputs, *trace.new_states], _outside(trace))
        return Program(*_counts(trace), code, len(outputs))
    pool = trace.spike.pool
    cotangents = [leaf(f"g{i}", pool) for i in range(len(outputs))]
    carried = [leaf(f"c{i}", pool) for i in range(len(trace.states))]
    wanted = [
        *trace.inputs,
        *(state for _, state in trace.states),
        *(trace.parameters[i][1] for i in differentiated),
    ]
    pairs = [*zip(outputs, cotangents, strict=True), *zip(trace.new_states, carried, strict=True)]
    results = gradients(pairs, wanted)
    names = _outside(trace)
    free = {parameter for _, parameter in trace.parameters} | set(cotangents) | set(carried)
    needed = [r for r in results if r is not None]
    saved = _choose_saved(trace, needed, {*cotangents, *carried}, rounded)
    inputs = tuple(i for i, x in enumerate(trace.inputs) if x in saved)
    kept = [value for value in saved if value not in trace.inputs]
    forward = _code([*outputs, *trace.new_states, *kept], names)
    known = {value: name for value, name in names.items() if value in free}
    known |= {x: names[x] for x in trace.inputs if x in saved}
    known |= {value: f"k{i}" for i, value in enumerate(kept)}
    known |= {value: str(value.payload) for value in (*cotangents, *carried)}
    return Program(
        *_counts(trace),
        forward,
        len(outputs),
        tuple("bit" if value.boolean else "value" for value in kept),
        inputs,
        _code([0.0 if r is None else r for r in results], known),
        tuple(differentiated),
    )


def _counts(trace: Trace) -> tuple[int, int, int]:
    return len(trace.inputs), len(trace.states), len(trace.parameters)


def _outside(trace: Trace) -> dict[Expression, str]:
    names = {x: f"x{i}" for i, x in enumerate(trace.inputs)}
    names |= {state: f"v{i}" for i, (_, state) in enumerate(trace.states)}
    return names | {parameter: f"p{i}" for i, (_, parameter) in enumerate(trace.parameters)}


def _code(roots: Sequence[Expression | float], names: dict[Expression, str]) -> Code:
    known: dict[Expression, str | float] = dict(names)
    lines: list[Line] = []
    for value in order((r for r in roots if isinstance(r, Expression)), names):
        if value.op == "constant":
            known[value] = float(value.payload)  # type: ignore[arg-type]
        elif value.op in ("detach", "spike"):
            # The spike's second operand is its value; neither computes anything.
            known[value] = known[value.args[-1]]
        else:
            known[value] = f"t{len(lines)}"
            operands = tuple(known[arg] for arg in value.args)
            lines.append(Line(f"t{len(lines)}", value.op, operands))
    return Code(tuple(lines), tuple(known[r] if isinstance(r, Expression) else r for r in roots))


def _choose_saved(
    trace: Trace,
    needed: Sequence[Expression],
    cotangents: Collection[Expression],
    rounded: bool,
) -> list[Expression]:
    """The cheapest values of the forward from which, with the cotangents, the backward follows.

    They are recomputed by the very operations of the forward, so a spike cannot flip.
    """
    forward = set(order([trace.spike, *trace.new_states]))
    inputs = set(trace.inputs)
    behind = _depend_on(needed, cotangents)
    varying = _depend_on(needed, {*trace.inputs, *(state for _, state in trace.states)})

    def is_step(value: Expression) -> bool:
        if value in behind or value not in varying:
            return False
        return value.boolean or value.op in _STEPS

    def cost(value: Expression) -> float:
        if value in inputs:
            return 1.0  # it lies in memory already
        # What a detach or a spike gives is its operand's value.
        if value.op in ("detach", "spike") or value in behind:
            return INFINITE
        if value.boolean:
            return BIT
        in_forward = value.op == "leaf" or value in forward
        return 2.0 if in_forward or (rounded and is_step(value)) else INFINITE

    free = {parameter for _, parameter in trace.parameters} | set(cotangents)
    return cheapest_cut(needed, free, cost, is_step if rounded else lambda value: False)


def _depend_on(roots: Iterable[Expression], sources: Collection[Expression]) -> set[Expression]:
    """Which values behind ``roots`` are computed from ``sources``."""
    found = set(sources)
    for value in order(roots):
        if not found.isdisjoint(value.computed_from):
            found.add(value)
    return found
