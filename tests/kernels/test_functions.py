"""Each function, method and operator that symbols record gives what torch gives, gradient too."""

import itertools
import operator

import pytest
import torch
from spikeframe.kernels import functions as functions
from spikeframe.kernels.cache import traced
from spikeframe.kernels.symbol import FUNCTIONS, METHODS
from torch.nn import functional as F

from spikeframe import base

NUMBERS = (-2.0, -0.75, -0.0, 0.0, 0.3, 0.5, 1.0, 1.5)


class Line(base.TracedModule):
    """One line of x and v; of a truth value, what it chooses."""

    def __init__(self, function, **options):
        super().__init__(step_mode="m", **options)
        self.function = function
        self.register_memory("v", 0.0)

    def single_step_forward(self, x):
        result = self.function(x, self.v)
        if not result.is_floating_point():
            result = torch.where(result, 3.0 * x, 2.0 * self.v)
        self.v = result
        return result * 1.0


def run(function, backend, dtype):
    """The line's value and its gradients, at all pairs of numbers, ties among them."""
    pairs = torch.tensor([*itertools.product(NUMBERS, NUMBERS)], dtype=dtype)
    x, v = (numbers.clone().requires_grad_() for numbers in pairs.unbind(1))
    node = Line(function, backend=backend)
    node.v = v
    result = node(x.unsqueeze(0))[0]
    nothing = 0.0 * (x + v).sum()  # some functions have no gradient
    grads = torch.autograd.grad(result.sum() + 2.0 * node.v.sum() + nothing, (x, v))
    return [result.detach(), *grads]


def assert_as_torch(function, dtype=torch.float32):
    assert traced(Line(function), 1, dtype == torch.float64).reason is None
    found, expected = (run(function, name, dtype) for name in ("torch", "eager"))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)


BINARY = ("add", "sub", "mul", "div", "subtract", "multiply", "divide", "true_divide")
BINARY += ("maximum", "minimum", "max", "min")
COMPARED = ("lt", "le", "gt", "ge", "eq", "ne", "greater", "less", "greater_equal")
COMPARED += ("less_equal", "not_equal")
UNARY = ("abs", "absolute", "exp", "log", "sqrt", "sin", "cos", "sigmoid", "tanh", "neg")
UNARY += ("negative", "round", "floor", "ceil", "sign", "relu", "square", "reciprocal", "isnan")
UNARY += ("clone", "detach", "positive")
LOGICAL = ("logical_and", "logical_or")
BOUNDS = {
    "clamp": ((-0.75, 1.0), (0.3,), (None, 0.3), (1.0, -0.75)),
    "clip": ((-0.75, 1.0),),
    "clamp_min": ((0.3,),),
    "clamp_max": ((0.3,),),
    "pow": ((0.5,), (1,), (2,), (3,), (-1,), (-2,), (2.0,)),
}
# Which have lines of their own below.
ALONE = ("logical_not", "where", "is_floating_point")
CASTS = {"to", "type", "type_as", "float", "double", "bool"}
REFUSED = {"half", "bfloat16", "int", "long", "addcmul", "addcdiv", "lerp", "rsqrt"}


def test_every_name_is_tested_here():
    tested = {*BINARY, *COMPARED, *UNARY, *LOGICAL, *BOUNDS, *ALONE, *CASTS, *REFUSED}
    assert tested == METHODS.keys()
    made = {torch.zeros_like, torch.ones_like, torch.full_like, torch.Tensor.detach}
    named = {getattr(torch, name) for name in METHODS.keys() - CASTS - REFUSED}
    refused = {getattr(torch, name) for name in ("addcmul", "addcdiv", "lerp", "rsqrt")}
    assert named | refused | made | {F.relu, F.sigmoid, F.tanh} == FUNCTIONS.keys()


@pytest.mark.parametrize("name", [*BINARY, *COMPARED])
def test_functions_of_two(name):
    assert_as_torch(lambda x, v: getattr(torch, name)(x, v))
    assert_as_torch(lambda x, v: getattr(v, name)(x))
    if name not in ("maximum", "minimum", "max", "min"):
        assert_as_torch(lambda x, v: getattr(x, name)(0.5) + v)


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one(name):
    assert_as_torch(lambda x, v: getattr(torch, name)(x))
    assert_as_torch(lambda x, v: getattr(v, name)())


@pytest.mark.parametrize(("name", "given"), [(n, g) for n, all_ in BOUNDS.items() for g in all_])
def test_bounds_and_powers(name, given):
    assert_as_torch(lambda x, v: getattr(torch, name)(x, *given))
    assert_as_torch(lambda x, v: getattr(v, name)(*given))


@pytest.mark.parametrize("name", LOGICAL)
def test_truth_values(name):
    assert_as_torch(lambda x, v: getattr(torch, name)(x > 0, v > 0.5))
    assert_as_torch(lambda x, v: getattr(x > 0, name)(v > 0.5))
    assert_as_torch(lambda x, v: torch.logical_not(getattr(torch, name)(x > 0, v > 0)))
    assert_as_torch(lambda x, v: (x > 0).logical_not())


# Those that no row above has.
LINES = {
    "where": lambda x, v: torch.where(x > v, x, v),
    "where, of numbers": lambda x, v: torch.where(x > v, 2.0, v),
    "where, a method": lambda x, v: x.where(x > v, 0.25),
    "clamp, to data": lambda x, v: torch.clamp(x, min=v),
    "clamp, by name": lambda x, v: x.clamp(max=0.3, min=-0.75),
    "relu, functional": lambda x, v: F.relu(x) * F.sigmoid(v) + F.tanh(x),
    "zeros": lambda x, v: torch.zeros_like(x) + v,
    "ones": lambda x, v: torch.ones_like(v) * x,
    "full": lambda x, v: torch.full_like(v, 0.25) * x,
    "detach": lambda x, v: torch.Tensor.detach(x) * v,
    "no grad": lambda x, v: x * v + _constant(x),
    "add, sub, alpha of 1": lambda x, v: torch.add(x, v, alpha=1) * torch.sub(x, v, alpha=1),
    "floating": lambda x, v: x if v.is_floating_point() else v,
    "reversed": lambda x, v: (1.5 + x) + (1.5 - x) + (1.5 * v) + (1.5 / v),
    "signs": lambda x, v: -x + abs(+v),
    "powers": lambda x, v: x**2 + v**3 + x**0.5,
    "one minus a spike": lambda x, v: (1.0 - (x > v).to(x.dtype)) * v,
    "truth as a number": lambda x, v: (x > v) * v + x * (v > 0).float(),
    "to bool": lambda x, v: x.bool(),
    "type": lambda x, v: (x > 0).type_as(v) * v + (x > v).type(v.dtype),
    "two truths": lambda x, v: ((x > 0) & (v > 0)) | ~(x > v),
    "sum of truths": lambda x, v: (x > 0) + (v > 0),
    "product of truths": lambda x, v: (x > 0) * (v > 0),
    "in place": lambda x, v: _in_place(x.clone(), v),
}


def _constant(x):
    with torch.no_grad():
        return x * 2.0


def _in_place(a, v):
    a += v
    a -= 0.5
    a *= v
    a /= 2.0
    return a


@pytest.mark.parametrize("name", LINES)
def test_lines(name):
    assert_as_torch(LINES[name])


@pytest.mark.parametrize("op", ["lt", "le", "gt", "ge", "eq", "ne", "add", "sub", "mul"])
def test_operators(op):
    function = getattr(operator, op)
    assert_as_torch(lambda x, v: function(x, v))
    assert_as_torch(lambda x, v: function(x, 0.3) if op in COMPARED else function(0.3, x))


def test_truth_values_in_double():
    assert_as_torch(lambda x, v: x.double() * (v > 0).double(), torch.float64)


NO = {
    "to a device": (lambda x, v: x.to("cpu"), "moves the data to a device or dtype"),
    "to what is not known": (lambda x, v: x.to(x.dtype, v.dtype), "that is not known beforehand"),
    "half": (lambda x, v: x.half(), "casts to torch.float16, which is not the precision"),
    "bfloat16": (lambda x, v: x.bfloat16(), "casts to torch.bfloat16"),
    "int": (lambda x, v: (x > 0).int(), "casts to torch.int32"),
    "long": (lambda x, v: x.long(), "casts to torch.int64"),
    "and of data": (lambda x, v: torch.logical_and(x, v), "what is not a comparison of the data"),
    "& of data": (lambda x, v: (x > 0) & v, "uses as a truth value what is not a comparison"),
    "where of truths": (
        lambda x, v: torch.where(x > 0, v > 0, x > v),
        "chooses between truth values",
    ),
    "truth in place": (lambda x, v: _in_place(x > 0, v), "changes a truth value in place"),
    "difference of truths": (lambda x, v: (x > 0) - (v > 0), "uses sub on truth values"),
    "extremum": (lambda x, v: x.max(), "takes the extremum over a dimension"),
    "extremum, out": (lambda x, v: torch.max(x, v, out=None), "the extremum over a dimension"),
    "another dtype": (
        lambda x, v: torch.zeros_like(x, dtype=torch.float64),
        "makes a tensor of another dtype than the state's",
    ),
    "like a truth": (lambda x, v: torch.ones_like(x > 0), "another dtype than the state's"),
    "a new leaf": (
        lambda x, v: torch.zeros_like(x, requires_grad=True),
        "makes a tensor that requires a gradient",
    ),
    "full of truth": (lambda x, v: torch.full_like(x, True), "with what is not a number"),
    "a power of data": (lambda x, v: x**v, "a power that is not a plain number"),
    "a power": (lambda x, v: x**4, "raises to the power 4: write it as products"),
    "rounding": (lambda x, v: torch.div(x, v, rounding_mode="trunc"), "div with rounding_mode"),
    "no data": (lambda x, v: torch.where(x > 0, 1.0, 2.0).dtype, "asks for the dtype of a truth"),
    "lerp": (lambda x, v: x.lerp(v, 0.5), "uses lerp, whose rounding is not that of its formula"),
}


@pytest.mark.parametrize("name", NO)
def test_what_is_refused_says_why(name):
    function, reason = NO[name]
    assert reason in traced(Line(function)).reason
