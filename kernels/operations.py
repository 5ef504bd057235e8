"""The elementwise operations that a step may be made of, with their derivatives.

Derivatives at ties and at nan are torch's: that of abs is 0 at both, maximum gives each side half
of a tie and a nan the whole, relu passes nothing at 0 and everything at nan.
"""

from collections.abc import Callable

from .expression import OPERATIONS, Expression, Operation

__all__: list[str] = []

E = Expression
Rule = Callable[..., tuple[E | None, ...]]


def _define(name: str, arity: int, derivative: Rule | None = None, boolean: bool = False) -> None:
    OPERATIONS[name] = Operation(name, arity, derivative, boolean)


def _where(condition: E, a: E, b: E | float) -> E:
    return condition.apply("where", a, b)


def _unless(condition: E, g: E) -> E:
    """The cotangent, but none where the condition holds."""
    return condition.apply("where", 0.0, g)


def _halved(g: E, a: E, b: E) -> E:
    return _where(a.apply("eq", b), g.apply("mul", 0.5), g)


def _maximum(g: E, y: E, a: E, b: E) -> tuple[E, E]:
    half = _halved(g, a, b)
    return _unless(a.apply("lt", b), half), _unless(a.apply("gt", b), half)


def _minimum(g: E, y: E, a: E, b: E) -> tuple[E, E]:
    half = _halved(g, a, b)
    return _unless(a.apply("gt", b), half), _unless(a.apply("lt", b), half)


def _divide(g: E, y: E, a: E, b: E) -> tuple[E, E]:
    return g.apply("div", b), g.apply("neg").apply("mul", y.apply("div", b))


def _sigmoid(g: E, y: E, a: E) -> tuple[E]:
    rest = y.apply("neg").apply("add", 1.0)
    return (g.apply("mul", rest).apply("mul", y),)


def _tanh(g: E, y: E, a: E) -> tuple[E]:
    rest = y.apply("mul", y).apply("neg").apply("add", 1.0)
    return (g.apply("mul", rest),)


for _comparison in ("lt", "le", "gt", "ge", "eq", "ne", "and", "or"):
    _define(_comparison, 2, boolean=True)
_define("not", 1, boolean=True)
_define("float", 1)  # 1 where true, 0 where not
for _flat in ("round", "floor", "ceil", "sign"):
    _define(_flat, 1)
_define("detach", 1)
_define("add", 2, lambda g, y, a, b: (g, g))
_define("sub", 2, lambda g, y, a, b: (g, g.apply("neg")))
_define("mul", 2, lambda g, y, a, b: (g.apply("mul", b), g.apply("mul", a)))
_define("div", 2, _divide)
_define("neg", 1, lambda g, y, a: (g.apply("neg"),))
_define("abs", 1, lambda g, y, a: (g.apply("mul", a.apply("sign")),))
_define("exp", 1, lambda g, y, a: (g.apply("mul", y),))
_define("log", 1, lambda g, y, a: (g.apply("div", a),))
_define("sqrt", 1, lambda g, y, a: (g.apply("div", y.apply("mul", 2.0)),))
_define("sin", 1, lambda g, y, a: (g.apply("mul", a.apply("cos")),))
_define("cos", 1, lambda g, y, a: (g.apply("mul", a.apply("sin")).apply("neg"),))
_define("sigmoid", 1, _sigmoid)
_define("tanh", 1, _tanh)
_define("maximum", 2, _maximum)
_define("minimum", 2, _minimum)
_define("relu", 1, lambda g, y, a: (_unless(a.apply("le", 0.0), g),))
_define("where", 3, lambda g, y, c, a, b: (None, _where(c, g, 0.0), _unless(c, g)))
# Distance from the threshold, what stands for the derivative, value.
_define("spike", 3, lambda g, y, u, slope, value: (g.apply("mul", slope), None, None))
