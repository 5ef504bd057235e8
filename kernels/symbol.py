"""What a step computes with while it is traced: looks like a tensor, records what is done."""

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from .expression import Expression, constant
from .uniform import Uniform

__all__ = ["Symbol", "Untraceable"]


class Untraceable(Exception):
    """A step does what no kernel can; its text says what and why."""


class Symbol:
    """An expression that takes part in torch code.

    Arguments:
        expression: What it stands for.
        parameter: Makes the leaf of a value that is the same at every step.
    """

    __slots__ = ("expression", "parameter")
    __symbolic__ = True

    def __init__(
        self, expression: Expression, parameter: Callable[[Uniform], Expression]
    ) -> None:
        self.expression, self.parameter = expression, parameter

    def operand(self, value: Any) -> Expression:
        """A symbol, a number, or a value of the same at every step, as an expression."""
        if type(value) is Symbol:
            return value.expression
        if type(value) is Uniform:
            return self.parameter(value)
        if isinstance(value, bool | int | float):
            return constant(value, self.expression.pool)
        if isinstance(value, torch.Tensor):
            raise Untraceable(
                "uses a tensor that is no attribute of the node: make it a buffer or a parameter"
            )
        raise Untraceable(f"computes with a {type(value).__name__}")

    def record(self, op: str, *others: Any) -> "Symbol":
        """An operation on this value and others."""
        return self.wrap(self.expression.apply(op, *map(self.operand, others)))

    def wrap(self, expression: Expression) -> "Symbol":
        """An expression as a symbol of the same trace."""
        return Symbol(expression, self.parameter)

    def number(self, value: float) -> "Symbol":
        """A number of the same trace."""
        return self.wrap(constant(value, self.expression.pool))

    def spike(self, value: "Symbol", slope: "Symbol") -> "Symbol":
        """``value`` as a function of this distance from the threshold, and what stands for its
        derivative."""
        return self.record("spike", slope, value)

    @property
    def dtype(self) -> torch.dtype:
        """Arithmetic is in the precision of the state."""
        return torch.bool if self.expression.boolean else torch.float32

    def to(self, *args: Any, **kwargs: Any) -> "Symbol":
        """A truth value as a number; numbers stay in the precision of the state."""
        wanted = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.dtype | Symbol)]
        kinds = [a.dtype if type(a) is Symbol else a for a in wanted]
        if self.expression.boolean and kinds and kinds[0].is_floating_point:
            return self.record("float")
        if kinds and kinds[0] != self.dtype:
            raise Untraceable(f"casts to {kinds[0]}")
        return self

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return lambda *args, **kwargs: _METHODS[name](self, *args, **kwargs)
        raise Untraceable(f"uses Tensor.{name}, which has no elementwise kernel form")

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(function, "__name__", str(function))
        if function not in _FUNCTIONS:
            raise Untraceable(f"uses torch.{name}, which has no elementwise kernel form")
        return _FUNCTIONS[function](*args, **(kwargs or {}))

    def __bool__(self) -> bool:
        raise Untraceable("decides by a value of the data (if, and, or): use torch.where")

    def __float__(self) -> float:
        raise Untraceable("takes a number out of the data")

    __int__ = __index__ = __len__ = __iter__ = __float__  # type: ignore[assignment]
    __hash__ = object.__hash__


def _symbol(*values: Any) -> Symbol:
    found = next((v for v in values if type(v) is Symbol), None)
    if found is None:
        raise Untraceable("calls a function on no value of the step")
    return found


def _lift(like: Symbol, value: Any) -> Symbol:
    return value if type(value) is Symbol else like.wrap(like.operand(value))


def _binary(op: str) -> Callable[..., Symbol]:
    def function(a: Any, b: Any) -> Symbol:
        like = _symbol(a, b)
        return _lift(like, a).record(op, b)

    return function


def _unary(op: str) -> Callable[..., Symbol]:
    def function(a: Symbol) -> Symbol:
        return a.record(op)

    return function


def _add(a: Any, b: Any, *, alpha: float = 1) -> Symbol:
    if alpha != 1:
        raise Untraceable("uses add with alpha, which rounds once for two operations: write a * b")
    return _binary("add")(a, b)


def _sub(a: Any, b: Any, *, alpha: float = 1) -> Symbol:
    if alpha != 1:
        raise Untraceable("uses sub with alpha, which rounds once for two operations: write a * b")
    return _binary("sub")(a, b)


def _divide(a: Any, b: Any, *, rounding_mode: str | None = None) -> Symbol:
    if rounding_mode is not None:
        raise Untraceable(f"divides with rounding_mode={rounding_mode!r}")
    return _binary("div")(a, b)


def _where(condition: Any, a: Any, b: Any) -> Symbol:
    like = _symbol(condition, a, b)
    if type(condition) is not Symbol or not condition.expression.boolean:
        raise Untraceable("uses where with a condition that is not a comparison of the data")
    return like.wrap(condition.expression.apply("where", like.operand(a), like.operand(b)))


def _clamp(x: Symbol, min: Any = None, max: Any = None) -> Symbol:  # noqa: A002
    # The edge passes the gradient, which halves at a tie would not: selects, as clamp does it.
    for bound, beyond in ((min, "lt"), (max, "gt")):
        if bound is not None:
            edge = _lift(x, bound)
            x = _where(x.record(beyond, edge), edge, x)
    return x


def _power(x: Any, exponent: Any) -> Symbol:
    if type(x) is not Symbol or not isinstance(exponent, int | float) or type(exponent) is Uniform:
        raise Untraceable("raises to a power that is not a plain number: use exp and log")
    if exponent == 0.5:
        return x.record("sqrt")
    if exponent not in (2, 3, -1, -2, 1):
        raise Untraceable(f"raises to the power {exponent}: write it as products")
    square = x.record("mul", x)
    return {
        1: lambda: x,
        2: lambda: square,
        3: lambda: square.record("mul", x),
        -1: lambda: _binary("div")(_lift(x, 1.0), x),
        -2: lambda: _binary("div")(_lift(x, 1.0), square),
    }[int(exponent)]()


def _full_like(x: Symbol, value: Any, **kwargs: Any) -> Symbol:
    return _lift(x, value)


def _identity(x: Symbol, *args: Any, **kwargs: Any) -> Symbol:
    return x


def _refuse(name: str, instead: str) -> Callable[..., Symbol]:
    def function(*args: Any, **kwargs: Any) -> Symbol:
        raise Untraceable(f"uses {name}, whose rounding is not that of its formula: {instead}")

    return function


# name: (how it is recorded, torch functions, is it a method)
_NAMED: dict[str, Callable[..., Symbol]] = {
    "add": _add,
    "sub": _sub,
    "mul": _binary("mul"),
    "div": _divide,
    "true_divide": _divide,
    "pow": _power,
    "where": _where,
    "clamp": _clamp,
    "maximum": _binary("maximum"),
    "minimum": _binary("minimum"),
    "logical_and": _binary("and"),
    "logical_or": _binary("or"),
    "logical_not": _unary("not"),
    "square": lambda x: x.record("mul", x),
    "reciprocal": lambda x: _binary("div")(_lift(x, 1.0), x),
    "zeros_like": lambda x, **k: _full_like(x, 0.0),
    "ones_like": lambda x, **k: _full_like(x, 1.0),
    "full_like": _full_like,
    "clone": _identity,
} | {
    name: _unary(name)
    for name in (
        *("abs", "exp", "log", "sqrt", "sin", "cos", "sigmoid", "tanh", "relu", "neg", "round"),
        *("floor", "ceil", "sign", "isnan"),
    )
}
_NAMED |= {name: _binary(name) for name in ("lt", "le", "gt", "ge", "eq", "ne")}
_NAMED |= {
    "addcmul": _refuse("addcmul", "write a + b * c"),
    "addcdiv": _refuse("addcdiv", "write a + b / c"),
    "lerp": _refuse("lerp", "write a + w * (b - a)"),
    "rsqrt": _refuse("rsqrt", "write 1 / sqrt(x)"),
}

_METHODS: dict[str, Callable[..., Any]] = _NAMED | {
    "detach": _unary("detach"),
    "float": lambda x: x.to(torch.float32),
    "type_as": lambda x, other: x.to(other),
    "where": lambda x, condition, other: _where(condition, x, other),
}

_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    getattr(torch, name): record for name, record in _NAMED.items()
} | {
    F.relu: lambda x, inplace=False: x.record("relu"),
    F.sigmoid: _unary("sigmoid"),
    F.tanh: _unary("tanh"),
    torch.Tensor.detach: _unary("detach"),
}


def _install_operators() -> None:
    arithmetic = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}
    for name, op in arithmetic.items():
        record = _binary(op)
        setattr(Symbol, f"__{name}__", lambda a, b, record=record: record(a, b))
        setattr(Symbol, f"__r{name}__", lambda a, b, record=record: record(b, a))
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Symbol, f"__{name}__", lambda a, b, record=_binary(name): record(a, b))
    for name, op in {"and": "and", "or": "or"}.items():
        setattr(Symbol, f"__{name}__", lambda a, b, record=_binary(op): record(a, b))
    Symbol.__pow__ = _power  # type: ignore[attr-defined]
    Symbol.__neg__ = _unary("neg")  # type: ignore[attr-defined]
    Symbol.__abs__ = _unary("abs")  # type: ignore[attr-defined]
    Symbol.__invert__ = _unary("not")  # type: ignore[attr-defined]


_install_operators()
