"""Symbolic values: one step of a neuron as a graph of elementwise operations. No torch.

A value is built by operators and functions, differentiated in reverse, and printed by each
backend. Operations are kept in the literal form in which they were written, since each of them
rounds once: only what cannot change a bit (x * 1, x / 1, x - 0) is left out.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["OPERATIONS", "Expression", "Operation", "constant", "gradients", "leaf", "order"]


@dataclass(frozen=True)
class Operation:
    """An elementwise operation.

    Arguments:
        name: Its name, which backends print.
        arity: Number of operands.
        derivative: From the cotangent, the result and the operands, the operands' cotangents
            (None for none); None where no gradient passes.
        boolean: Whether the result is a truth value.
    """

    name: str
    arity: int
    derivative: Callable[..., tuple["Expression | None", ...]] | None = None
    boolean: bool = False


OPERATIONS: dict[str, Operation] = {}


class Expression:
    """A value in the graph: a leaf, a constant, or an operation on values.

    Equal operations on the same values are one object within a trace (``pool``), so comparing
    by identity is comparing by meaning, and shared subexpressions are computed once.
    """

    __slots__ = ("args", "op", "payload", "pool")

    def __init__(
        self,
        op: str,
        args: tuple["Expression", ...],
        payload: object,
        pool: dict[object, "Expression"],
    ) -> None:
        self.op, self.args, self.payload, self.pool = op, args, payload, pool

    @property
    def boolean(self) -> bool:
        """Whether it is a truth value."""
        return self.op in OPERATIONS and OPERATIONS[self.op].boolean

    @property
    def computed_from(self) -> tuple["Expression", ...]:
        """The operands that its value needs (a spike needs no derivative)."""
        return self.args[-1:] if self.op == "spike" else self.args

    def apply(self, op: str, *others: "Expression | float") -> "Expression":
        """The operation ``op`` on this value and others."""
        operands = (self, *(as_expression(other, self.pool) for other in others))
        same = _identity(op, operands)
        return intern(op, operands, None, self.pool) if same is None else same

    def __repr__(self) -> str:
        if self.op in ("leaf", "constant"):
            return f"{self.payload}"
        return f"{self.op}({', '.join(map(repr, self.args))})"


def intern(
    op: str, args: tuple[Expression, ...], payload: object, pool: dict[object, Expression]
) -> Expression:
    """The one value of this meaning in the pool."""
    # repr tells 0.0 from -0.0, which compare equal.
    key = (op, args, repr(payload) if op == "constant" else payload)
    # setdefault is one step, so two threads that compile the same trace get the same object.
    return pool.get(key) or pool.setdefault(key, Expression(op, args, payload, pool))


def leaf(name: str, pool: dict[object, Expression]) -> Expression:
    """A named value that comes from outside: an input, a state, a parameter, a cotangent."""
    return intern("leaf", (), name, pool)


def constant(value: float, pool: dict[object, Expression]) -> Expression:
    """A number."""
    return intern("constant", (), float(value), pool)


def as_expression(value: "Expression | float", pool: dict[object, Expression]) -> Expression:
    """The value itself, or a number as a constant."""
    return value if isinstance(value, Expression) else constant(value, pool)


def order(
    roots: Iterable[Expression],
    known: Iterable[Expression] = (),
    opaque: Callable[[Expression], bool] = lambda value: False,
) -> list[Expression]:
    """What ``roots`` are computed from, operands first.

    Arguments:
        roots: The values.
        known: What is left out, with what is behind it.
        opaque: Whether what is behind a value is left out.
    """
    return _walk(roots, lambda value: () if opaque(value) else value.computed_from, set(known))


def gradients(
    outputs: Sequence[tuple[Expression, Expression]], wanted: Sequence[Expression]
) -> list[Expression | None]:
    """The cotangents of ``wanted``, given those of the outputs; None where there is none.

    Arguments:
        outputs: Pairs of an output and its cotangent.
        wanted: Values to differentiate by.
    """
    cotangents: dict[Expression, Expression] = {}

    def add(value: Expression, cotangent: Expression) -> None:
        known = cotangents.get(value)
        cotangents[value] = cotangent if known is None else known.apply("add", cotangent)

    for output, cotangent in outputs:
        add(output, cotangent)
    for value in reversed(_differentiable(output for output, _ in outputs)):
        rule = OPERATIONS[value.op].derivative if value.op in OPERATIONS else None
        if value not in cotangents or rule is None:
            continue
        parts = rule(cotangents[value], value, *value.args)
        for operand, part in zip(value.args, parts, strict=True):
            if part is not None and operand.op != "constant":
                add(operand, part)
    return [cotangents.get(value) for value in wanted]


def _differentiable(outputs: Iterable[Expression]) -> list[Expression]:
    """The values that a gradient may reach on its way back, operands first.

    A spike's gradient goes to the distance from the threshold, though its value is computed
    from a comparison.
    """
    return _walk(outputs, lambda value: value.args[:1] if value.op == "spike" else value.args)


def _walk(
    roots: Iterable[Expression],
    operands: Callable[[Expression], Sequence[Expression]],
    stop: Collection[Expression] = (),
) -> list[Expression]:
    """All values behind ``roots``, operands first; neither ``stop`` nor what is behind it."""
    done: dict[Expression, None] = {}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        value, operands_done = stack.pop()
        if value in done or value in stop:
            continue
        if operands_done:
            done[value] = None
        else:
            stack.append((value, True))
            stack += [(operand, False) for operand in reversed(operands(value))]
    return list(done)


def _identity(op: str, operands: tuple[Expression, ...]) -> Expression | None:
    """The operand that the operation would give back bit by bit, if it is one."""
    if len(operands) != 2:
        return None
    a, b = operands
    number = b.payload if b.op == "constant" else None
    if (op in ("mul", "div") and number == 1.0) or (op == "sub" and repr(number) == "0.0"):
        return a
    if op == "mul" and a.op == "constant" and a.payload == 1.0:
        return b
    return None
