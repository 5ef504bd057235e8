"""What a step computes with while it is traced: looks like a tensor, records what is done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import torch

from .expression import Expression, constant
from .uniform import Uniform, is_uniform
from .untraceable import Untraceable

__all__ = [
    "FUNCTIONS",
    "METHODS",
    "Context",
    "Shape",
    "Symbol",
    "combine",
    "condition",
    "first_symbol",
    "is_known",
]

# Filled by functions.py: what torch's functions and a tensor's methods record.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
METHODS: dict[str, Callable[..., Any]] = {}

RANDOM = frozenset(
    ("bernoulli", "dropout", "multinomial", "normal", "poisson", "rand", "rand_like", "randint")
) | {"randint_like", "randn", "randn_like", "randperm", "alpha_dropout", "rrelu", "gumbel_softmax"}
SHAPE = frozenset(("shape", "size", "ndim", "dim", "numel", "nelement", "stride", "device"))

NOTHING = torch.full((2,), float("nan"))
FOREIGN = "uses a tensor that is no attribute of the node: make it a buffer or a parameter"


@dataclass
class Context:
    """What all symbols of a trace share.

    Arguments:
        parameter: Makes the leaf of a value that is the same at every step.
        double: Whether the state is float64, else float32.
        in_place: Whether the step has changed a tensor in place.
    """

    parameter: Callable[[Uniform], Expression]
    double: bool = False
    in_place: bool = False


class Symbol(torch.Tensor):
    """An expression that takes part in torch code as a tensor would.

    It is a tensor to isinstance, which torch's own C++ asks too and then reads its memory: so it
    must be one, though of nothing but nan, and of a shape that passes for no number.

    Reading a memory gives one and the same symbol, so a change in place (``self.v += x``) is
    seen under all of its names, as that of a tensor is.

    Arguments:
        expression: What it stands for.
        context: The trace it belongs to.
        single: Whether its dtype is not the state's but torch's default (a truth value made a
            number); the two differ where the state is float64.
        fixed: Why it must not be changed in place, if it must not.
    """

    __symbolic__ = True
    expression: Expression
    context: Context
    single: bool
    fixed: str | None

    def __new__(
        cls,
        expression: Expression,
        context: Context,
        single: bool = False,
        fixed: str | None = None,
    ) -> "Symbol":
        self: Symbol = torch.Tensor._make_subclass(cls, NOTHING)
        self.__dict__.update(expression=expression, context=context, single=single, fixed=fixed)
        return self

    @property
    def boolean(self) -> bool:
        """Whether it is a truth value."""
        return self.expression.boolean

    def operand(self, value: Any) -> Expression:
        """A symbol, a number, or a value that is the same at every step, as a number."""
        if type(value) is Symbol:
            return value.expression.apply("float") if value.boolean else value.expression
        if is_uniform(value):
            return self.context.parameter(value)
        if isinstance(value, bool | int | float):
            return constant(value, self.expression.pool)
        if isinstance(value, torch.Tensor):
            raise Untraceable(FOREIGN)
        raise Untraceable(f"computes with a {type(value).__name__}")

    def wrap(self, expression: Expression, single: bool = False) -> "Symbol":
        """An expression as a symbol of the same trace, without a gradient under no_grad."""
        if not torch.is_grad_enabled() and not expression.boolean:
            expression = expression.apply("detach")
        return Symbol(expression, self.context, single)

    def lift(self, value: Any) -> "Symbol":
        """Any operand as a symbol of the same trace."""
        return value if type(value) is Symbol else self.wrap(self.operand(value))

    def spike(self, value: Any, slope: Any) -> "Symbol":
        """``value`` as a function of this distance from the threshold, and what stands for its
        derivative."""
        return self.wrap(self.expression.apply("spike", self.operand(slope), self.operand(value)))

    def forbid(self, reason: str) -> None:
        """Refuse changes in place from now on."""
        self.__dict__["fixed"] = reason

    def change(self, value: "Symbol") -> "Symbol":
        """Become another value in place."""
        if self.fixed is not None:
            raise Untraceable(self.fixed)
        if self.boolean or self.single:
            raise Untraceable("changes a truth value in place: write a = a + b")
        self.__dict__["expression"] = value.expression
        self.context.in_place = True
        return self

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        """Arithmetic is in the precision of the state."""
        if self.boolean:
            return torch.bool
        if self.single:
            raise Untraceable("asks for the dtype of a truth value made a number")
        return torch.float64 if self.context.double else torch.float32

    @property
    def shape(self) -> "Shape":  # type: ignore[override]
        """That of all data."""
        return Shape()

    def __getattribute__(self, name: str) -> Any:
        if name in METHODS:
            return lambda *args, **kwargs: METHODS[name](self, *args, **kwargs)
        if name in _OWN:
            return object.__getattribute__(self, name)
        if name == "_is_param":  # what isinstance(.., nn.Parameter) asks
            return False
        raise Untraceable(_unknown("Tensor", name))

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = (*args, *(kwargs or {}).values())
        if function in FUNCTIONS and any(type(v) is Symbol for v in given):
            return FUNCTIONS[function](*args, **(kwargs or {}))
        for value in given:
            if isinstance(value, torch.Tensor) and not is_known(value):
                raise Untraceable(FOREIGN)
        raise Untraceable(_unknown("torch", getattr(function, "__name__", str(function))))

    def __bool__(self) -> bool:
        raise Untraceable("decides by a value of the data (if, and, or): use torch.where")

    def __float__(self) -> float:
        raise Untraceable("takes a number out of the data")

    def __str__(self) -> str:
        raise Untraceable("prints the data")

    def __getitem__(self, index: Any) -> NoReturn:
        raise Untraceable("indexes the data, which has no elementwise kernel form")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise Untraceable(f"sets the attribute {name} of the data")

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise Untraceable("assigns to an index of the data: use torch.where")

    __int__ = __index__ = __len__ = __iter__ = __float__  # type: ignore[assignment]
    __repr__ = __str__  # type: ignore[assignment]
    __hash__ = object.__hash__

    def __format__(self, spec: str) -> str:
        return str(self)


_OWN = frozenset(
    ("expression", "context", "single", "fixed", "boolean", "operand", "wrap", "lift", "spike")
) | {"change", "forbid", "__torch_function__", "dtype", "shape", "__class__", "__dict__"}


class Shape:
    """The shape of the data, of which nothing can be known but that all data has the same."""

    def __eq__(self, other: object) -> bool:
        if type(other) is Shape:
            return True
        raise Untraceable(_unknown("Tensor", "shape"))

    def __getattr__(self, name: str) -> NoReturn:
        raise Untraceable(_unknown("Tensor", "shape"))

    def __iter__(self, *_: Any) -> NoReturn:
        raise Untraceable(_unknown("Tensor", "shape"))

    __getitem__ = __len__ = __str__ = __repr__ = __add__ = __radd__ = __format__ = __iter__
    __hash__ = None  # type: ignore[assignment]


def first_symbol(values: Any) -> Symbol:
    """The first symbol among values."""
    found = next((v for v in values if type(v) is Symbol), None)
    if found is None:
        raise Untraceable("calls a function on no value of the step")
    return found


def combine(op: str, *values: Any) -> Symbol:
    """Arithmetic or a comparison, of values of which one is a symbol."""
    like = first_symbol(values)
    truths = [type(v) is Symbol and v.boolean for v in values]
    if all(truths):
        if op not in ("add", "mul"):
            raise Untraceable(f"uses {op} on truth values: make them numbers with .to(x.dtype)")
        return like.wrap(
            like.expression.apply(
                {"add": "or", "mul": "and"}[op], *(v.expression for v in values[1:])
            )
        )
    if op == "sub" and any(truths):
        raise Untraceable("subtracts with a truth value, which torch refuses: use ~")
    single = not any(
        type(v) is Symbol and not (v.single or truth)
        for v, truth in zip(values, truths, strict=True)
    )
    if single:
        check_single(op, like, values)
    first, *rest = map(like.operand, values)
    return like.wrap(first.apply(op, *rest), single)


def is_known(value: Any) -> bool:
    """Whether a value is recorded, whatever kind it is of."""
    return type(value) is Symbol or is_uniform(value)


def condition(like: Symbol, value: Any) -> Expression:
    """A truth value of the data, or of a tensor of bools."""
    if type(value) is Symbol and value.boolean:
        return value.expression
    if is_uniform(value) and isinstance(value, torch.Tensor) and value.dtype == torch.bool:
        return like.operand(value).apply("ne", 0.0)
    raise Untraceable("uses as a truth value what is not a comparison of the data")


def check_single(op: str, like: Symbol, values: Any) -> None:
    """Refuse what rounds in torch's default dtype where the state has another one."""
    if torch.get_default_dtype() != torch.float32:
        raise Untraceable("makes numbers of torch's default dtype: write .to(x.dtype)")
    exact = op in ("add", "sub", "mul", "neg", "where", "lt", "le", "gt", "ge", "eq", "ne")
    numbers = [v for v in values if type(v) is not Symbol]
    if like.context.double and not (exact and all(map(_is_small_integer, numbers))):
        raise Untraceable("computes in float32 where the state is float64: write .to(x.dtype)")


def _is_small_integer(value: Any) -> bool:
    plain = type(value) in (int, float)
    return plain and abs(value) <= 1024 and value == int(value)


def _unknown(where: str, name: str) -> str:
    if name in RANDOM or name.rstrip("_") in RANDOM:
        return f"draws random numbers ({where}.{name})"
    if name in SHAPE:
        return f"asks for the {name} of the data: a kernel sees one neuron at a time"
    if name.endswith("_") and not name.endswith("__"):
        return f"changes the data in place ({where}.{name}): use {name.rstrip('_')}"
    return f"uses {where}.{name}, which has no elementwise kernel form"
