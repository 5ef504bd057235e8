"""Whether an expression is proportional to one of its leaves."""

from typing import Any

from .expression import Expression, order

__all__ = ["is_proportional"]


def is_proportional(result: Any, by: Expression) -> bool:
    """Whether a symbol's value is ``by`` times what does not depend on it, in every case."""
    expression = getattr(result, "expression", None)
    return isinstance(expression, Expression) and _is_proportional(expression, by)


def _is_proportional(value: Expression, by: Expression) -> bool:
    if value is by:
        return True
    if value.op == "constant":
        return value.payload == 0.0
    if value.op in ("add", "sub", "neg", "detach"):
        return all(_is_proportional(arg, by) for arg in value.args)
    if value.op == "where":
        free = by not in order([value.args[0]])
        return free and all(_is_proportional(arg, by) for arg in value.args[1:])
    if value.op == "mul":
        return any(_is_proportional(a, by) and by not in order([b]) for a, b in _both(value.args))
    if value.op == "div":
        return _is_proportional(value.args[0], by) and by not in order([value.args[1]])
    return False


def _both(args: tuple[Expression, ...]) -> tuple[tuple[Expression, Expression], ...]:
    a, b = args
    return (a, b), (b, a)
