"""Derivatives of the operations, at ties, zeros, infinities and nan as well: torch's own."""

import pytest
import torch
from spikeframe.kernels.expression import OPERATIONS, leaf
from spikeframe.kernels.functions import METHODS
from spikeframe.kernels.guards import Guards
from spikeframe.kernels.program import compile_trace
from spikeframe.kernels.symbol import Context, Symbol
from spikeframe.kernels.trace import Trace

INF, NAN = float("inf"), float("nan")
GRID = torch.tensor([NAN, -INF, -2.5, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 3.7, INF]).double()
FIRST, SECOND = (g.flatten() for g in torch.meshgrid(GRID, GRID, indexing="ij"))

UNARY = {
    **{n: getattr(torch, n) for n in ("abs", "exp", "log", "sqrt", "sin", "cos", "neg", "sign")},
    **{n: getattr(torch, n) for n in ("sigmoid", "tanh", "relu", "floor", "ceil", "square")},
    **{f"power {n}": lambda x, n=n: x**n for n in (0.5, 1, 2, 3, -1, -2)},
    "round": torch.round,
    "reciprocal": torch.reciprocal,
    "clamp both": lambda x: x.clamp(-1.0, 2.0),
    "clamp below": lambda x: torch.clamp(x, min=0.5),
    "clamp above": lambda x: x.clamp(max=0.0),
    "clamp crossed": lambda x: x.clamp(2.0, -1.0),
    "clamp_min": lambda x: x.clamp_min(-1.0),
    "comparison": lambda x: (x >= 0.5).to(x.dtype) * x,
    "not": lambda x: torch.where(~(x > 0), x, 2.0 * x),
    "and or": lambda x: torch.where(((x > -1) & (x < 1)) | (x == 2.0), x, x * x),
    "isnan": lambda x: torch.where(torch.isnan(x), 0.0, x),
    "detach": lambda x: x * x.detach(),
    "truth times truth": lambda x: ((x > 0) * (x < 2)).to(x.dtype) * x,
    "truth plus truth": lambda x: ((x > 1) + (x < 0)).to(x.dtype) * x,
    "one less truth": lambda x: (1 - (x > 0).to(x.dtype)) * x,
    "no_grad": lambda x: x + _without_grad(x),
    "full": lambda x: x + torch.full_like(x, 0.3) * torch.ones_like(x) - torch.zeros_like(x),
    "untaken sqrt": lambda x: torch.where(x > 0.5, torch.sqrt(x), 0.0),
    "untaken quotient": lambda x: torch.where(x == 0.0, 0.0, 1.0 / x),
}
BINARY = {
    **{n: getattr(torch, n) for n in ("add", "sub", "mul", "div", "maximum", "minimum")},
    **{n: getattr(torch, n) for n in ("max", "min", "subtract", "multiply", "true_divide")},
    "where": lambda a, b: torch.where(a < b, a, b),
    "where by one": lambda a, b: torch.where(a > 0, a * b, b),
    "clamp by tensor": lambda a, b: torch.clamp(a, min=torch.where(b == b, b, 0.0)),
    "operators": lambda a, b: (2.0 - a) / 3.0 + (1.0 / b) * -a - abs(b),
}


def _without_grad(x):
    with torch.no_grad():
        return x * x


def both(function, *operands):
    """Value and gradients by autograd, and by the program made of the same function."""
    given = [operand.clone().requires_grad_() for operand in operands]
    expected = function(*given)
    weights = torch.linspace(-1.3, 1.7, expected.numel(), dtype=torch.float64)
    wanted = torch.autograd.grad(expected, given, weights, allow_unused=True)
    wanted = [torch.zeros_like(x) if g is None else g for g, x in zip(wanted, given, strict=True)]
    program = program_of(function, len(operands))
    values = {f"x{i}": operand for i, operand in enumerate(operands)}
    output, *saved = literally(program.forward, values)
    kept = {f"k{i}": value for i, value in enumerate(saved)}
    kept |= {f"x{i}": operands[i] for i in program.saved_inputs}
    grads = literally(program.backward, kept | {"g0": weights})
    return (expected.detach(), *wanted), (output, *grads)


def literally(code, values):
    """The results of straight-line code, one torch function a line."""
    values = dict(values)

    def tensor(operand):
        shape = next(iter(values.values())).shape
        if isinstance(operand, str):
            return values[operand].expand(shape)
        return torch.full(shape, operand, dtype=torch.float64)

    for line in code.lines:
        operands = map(tensor, line.operands)
        functions = {"float": torch.Tensor.double} | {
            f"{name}": getattr(torch, f"logical_{name}") for name in ("and", "or", "not")
        }
        function = functions.get(line.op) or getattr(torch, line.op)
        values[line.target] = function(*operands)
    return [tensor(result) for result in code.results]


def program_of(function, n):
    pool = {}
    inputs = tuple(leaf(f"x{i}", pool) for i in range(n))
    context = Context(parameter=lambda uniform: pytest.fail("no parameter here"), double=True)
    with torch.enable_grad():
        result = function(*(Symbol(x, context) for x in inputs))
    return compile_trace(Trace(inputs, (), (), result.expression, (), Guards()))


@pytest.mark.parametrize("name", UNARY)
def test_one_operand_is_differentiated_as_by_torch(name):
    expected, found = both(UNARY[name], GRID)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", BINARY)
def test_two_operands_are_differentiated_as_by_torch(name):
    expected, found = both(BINARY[name], FIRST, SECOND)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-12, atol=0, equal_nan=True)


def test_every_operation_is_met_by_a_grid():
    """A new operation must come with a row above."""
    met = set()
    for rows, n in ((UNARY, 1), (BINARY, 2)):
        for function in rows.values():
            program = program_of(function, n)
            met |= {line.op for line in (*program.forward.lines, *program.backward.lines)}
    assert {*OPERATIONS} - met == {"detach", "spike"}  # which compute nothing


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_of_ties_and_nan_are_torchs(name):
    def function(a, b):
        return torch.where(getattr(torch, name)(a, b), a * 0 + 1.0, 0.0)

    finite = torch.tensor([NAN, -1.0, -0.0, 0.0, 1.0]).double()
    first, second = (g.flatten() for g in torch.meshgrid(finite, finite, indexing="ij"))
    expected, found = both(function, first, second)
    torch.testing.assert_close(found[0], expected[0], rtol=0, atol=0, equal_nan=True)
    assert name in METHODS
