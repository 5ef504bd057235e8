"""The torch functions, tensor methods and operators that symbols record, in their literal form."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from .symbol import (
    FUNCTIONS,
    METHODS,
    Symbol,
    check_single,
    combine,
    condition,
    first_symbol,
    is_known,
)
from .uniform import is_uniform
from .untraceable import Untraceable

__all__: list[str] = []

Function = Callable[..., Any]


def _recorded(op: str) -> Function:
    return lambda *values: combine(op, *values)


def _logical(op: str) -> Function:
    def function(*values: Any) -> Symbol:
        like = first_symbol(values)
        first, *rest = [condition(like, value) for value in values]
        return like.wrap(first.apply(op, *rest))

    return function


def _without(name: str, *refused: tuple[str, Any]) -> Function:
    """The binary operation, where none of its options is used."""
    op = _recorded(name)

    def function(a: Any, b: Any, **options: Any) -> Symbol:
        for option, default in refused:
            if options.pop(option, default) != default:
                raise Untraceable(f"uses {name} with {option}, which is not one operation")
        return op(a, b, **options)

    return function


def _where(given: Any, a: Any, b: Any) -> Symbol:
    like = first_symbol((given, a, b))
    if all(type(v) is not Symbol or v.boolean or v.single for v in (a, b)):
        if all(type(v) is Symbol and v.boolean for v in (a, b)):
            raise Untraceable("chooses between truth values: write (c & a) | (~c & b)")
        check_single("where", like, (a, b))
        single = True
    else:
        single = False
    chosen = condition(like, given).apply("where", like.operand(a), like.operand(b))
    return like.wrap(chosen, single)


def _clamp(x: Any, min: Any = None, max: Any = None) -> Symbol:
    x = first_symbol((x,))
    result = x.wrap(x.expression)
    for bound, inside, outside in ((min, "ge", "lt"), (max, "le", "gt")):
        if _is_number(bound):
            # What compares false keeps nan; the edge passes the gradient, nan none.
            value = _where(combine(outside, result, bound), bound, result)
            result = result.spike(value, _where(combine(inside, result, bound), 1.0, 0.0))
        elif bound is not None:
            # The edge passes the gradient, which would be halved at a tie; nan stays nan, without.
            other = _where(combine("ne", result, result), _detached(result), bound)
            result = _where(combine(inside, result, bound), result, other)
    return result


def _is_number(value: Any) -> bool:
    """Whether it is a number, one that the node holds or not."""
    return type(value) in (int, float) or (is_uniform(value) and isinstance(value, int | float))


def _positive(x: Symbol) -> Symbol:
    """The very tensor, as torch gives it."""
    if x.boolean:
        raise Untraceable("takes a truth value with a sign")
    return x


def _detached(x: Symbol) -> Symbol:
    return x.wrap(x.expression.apply("detach"), x.single)


def _detach(x: Symbol) -> Symbol:
    if x.boolean:
        return x
    alias = _detached(x)
    for symbol in (x, alias):
        symbol.forbid("changes in place what shares its memory with a detached tensor")
    return alias


def _power(x: Any, exponent: Any) -> Symbol:
    if type(x) is not Symbol or type(exponent) not in (int, float):
        raise Untraceable("raises to a power that is not a plain number: use products")
    square = combine("mul", x, x)
    if exponent == -2:
        # The derivative of the products written out would be nan at 0.
        value = combine("div", 1.0, square)
        return x.spike(value, combine("div", -2.0, combine("mul", square, x)))
    powers: dict[float, Function] = {
        0.5: lambda: combine("sqrt", x),
        1: lambda: x.wrap(x.expression),
        2: lambda: square,
        3: lambda: combine("mul", square, x),
        -1: lambda: combine("div", 1.0, x),
    }
    if exponent not in powers:
        raise Untraceable(f"raises to the power {exponent}: write it as products")
    return powers[exponent]()


def _like(value: Any = None) -> Function:
    def function(x: Symbol, fill: Any = value, *, dtype: Any = None, **options: Any) -> Symbol:
        if x.boolean or x.single or (dtype is not None and dtype != x.dtype):
            raise Untraceable("makes a tensor of another dtype than the state's")
        if options.get("requires_grad"):
            raise Untraceable("makes a tensor that requires a gradient")
        if not _is_number(fill):
            raise Untraceable("fills a tensor with what is not a number")
        return x.wrap(x.operand(fill))

    return function


def _to(x: Symbol, *args: Any, **kwargs: Any) -> Symbol:
    """A truth value as a number; numbers stay in the precision of the state."""
    state = torch.float64 if x.context.double else torch.float32
    given = (*args, *(v for name, v in kwargs.items() if name in ("dtype", "other")))
    kinds = [v.dtype if type(v) is Symbol else v for v in given if type(v) is not bool]
    if len(kinds) != 1 or not isinstance(kinds[0], torch.dtype):
        raise Untraceable("moves the data to a device or dtype that is not known beforehand")
    kind = kinds[0]
    if kind == torch.bool:
        return x if x.boolean else combine("ne", x, 0.0)
    if x.boolean and kind in (state, torch.float32):
        return x.wrap(x.operand(x), single=kind != state)
    if x.single and kind == state:
        return x.wrap(x.expression)
    if x.boolean or x.single or kind != state:
        raise Untraceable(f"casts to {kind}, which is not the precision of the state")
    return x


def _cast(dtype: torch.dtype) -> Function:
    return lambda x: _to(x, dtype)


def _binary_only(op: str) -> Function:
    def function(a: Any, *others: Any, **options: Any) -> Symbol:
        if len(others) != 1 or options or not is_known(others[0]):
            raise Untraceable("takes the extremum over a dimension, which mixes neurons")
        return combine(op, a, others[0])

    return function


def _relu(x: Symbol, inplace: bool = False) -> Symbol:
    if inplace:
        raise Untraceable("changes the data in place (relu with inplace=True)")
    return combine("relu", x)


def _refuse(name: str, instead: str) -> Function:
    def function(*args: Any, **kwargs: Any) -> Symbol:
        raise Untraceable(f"uses {name}, whose rounding is not that of its formula: {instead}")

    return function


def _clone(x: Symbol, **options: Any) -> Symbol:
    return x.wrap(x.expression, x.single)


_BINARY = {
    "add": ("add", ("alpha", 1)),
    "sub": ("sub", ("alpha", 1)),
    "mul": ("mul",),
    "div": ("div", ("rounding_mode", None)),
}
_ALIASES = {
    **{"subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div"},
    **{"negative": "neg", "absolute": "abs", "clip": "clamp", "greater": "gt", "less": "lt"},
    **{"greater_equal": "ge", "less_equal": "le", "not_equal": "ne"},
}
_UNARY = (
    *("abs", "exp", "log", "sqrt", "sin", "cos", "sigmoid", "tanh", "neg", "round", "floor"),
    *("ceil", "sign"),
)
# Names that torch and its tensors share.
_NAMED: dict[str, Function] = {
    **{name: _without(*how) for name, how in _BINARY.items()},  # type: ignore[arg-type]
    **{name: _recorded(name) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    **{name: (lambda x, op=name: combine(op, x)) for name in _UNARY},
    "isnan": lambda x: combine("ne", x, x),
    "positive": _positive,
    "relu": _relu,
    "maximum": _recorded("maximum"),
    "minimum": _recorded("minimum"),
    "max": _binary_only("maximum"),
    "min": _binary_only("minimum"),
    "logical_and": _logical("and"),
    "logical_or": _logical("or"),
    "logical_not": _logical("not"),
    "where": _where,
    "clamp": _clamp,
    "clamp_min": lambda x, min: _clamp(x, min=min),
    "clamp_max": lambda x, max: _clamp(x, max=max),
    "pow": _power,
    "square": lambda x: combine("mul", x, x),
    "reciprocal": lambda x: combine("div", 1.0, x),
    "detach": _detach,
    "clone": _clone,
    "is_floating_point": lambda x: not x.boolean,
    "addcmul": _refuse("addcmul", "write a + b * c"),
    "addcdiv": _refuse("addcdiv", "write a + b / c"),
    "lerp": _refuse("lerp", "write a + w * (b - a)"),
    "rsqrt": _refuse("rsqrt", "write 1 / sqrt(x)"),
}
_NAMED |= {alias: _NAMED[name] for alias, name in _ALIASES.items()}

METHODS |= _NAMED | {
    "where": lambda x, given, other: _where(given, x, other),
    "to": _to,
    "type": _to,
    "type_as": _to,
    "float": _cast(torch.float32),
    "double": _cast(torch.float64),
    "half": _cast(torch.float16),
    "bfloat16": _cast(torch.bfloat16),
    "bool": _cast(torch.bool),
    "int": _cast(torch.int32),
    "long": _cast(torch.int64),
}

FUNCTIONS |= {getattr(torch, name): function for name, function in _NAMED.items()} | {
    torch.zeros_like: _like(0.0),
    torch.ones_like: _like(1.0),
    torch.full_like: lambda x, fill_value, **options: _like()(x, fill_value, **options),
    F.relu: _relu,
    F.sigmoid: _NAMED["sigmoid"],
    F.tanh: _NAMED["tanh"],
    torch.Tensor.detach: _detach,
}


def _in_place(op: str) -> Function:
    return lambda a, b: a.change(combine(op, a, b))


def _power_of(x: Any, base: Any) -> Symbol:
    return _power(base, x)


def _install_operators() -> None:
    for name, op in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}.items():
        setattr(Symbol, f"__{name}__", lambda a, b, op=op: combine(op, a, b))
        setattr(Symbol, f"__r{name}__", lambda a, b, op=op: combine(op, b, a))
        setattr(Symbol, f"__i{name}__", _in_place(op))
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Symbol, f"__{name}__", lambda a, b, op=name: combine(op, a, b))
    for name in ("and", "or"):
        setattr(Symbol, f"__{name}__", _logical(name))
        setattr(Symbol, f"__r{name}__", _logical(name))
    for name, function in {
        "pow": _power,
        "rpow": _power_of,
        "neg": _NAMED["neg"],
        "pos": _positive,
        "abs": _NAMED["abs"],
        "invert": _logical("not"),
    }.items():
        setattr(Symbol, f"__{name}__", function)


_install_operators()
