"""Every operation that Triton prints, interpreted: torch's value, at every kind of number."""

import math

import pytest
import torch
from spikeframe.kernels import expression, triton_source
from spikeframe.kernels.layout import Layout
from spikeframe.kernels.program import Code, Line, Program

# Earlier interpreters fail with numpy 2.4.
pytest.importorskip("triton", "3.9", reason="triton 3.9 is not installed")

from spikeframe.kernels import triton
from triton_on_cpu import interpret

ENGINE = triton.engine(interpret)
INF, NAN = float("inf"), float("nan")

# Numbers of every kind: zeros, ties of round, subnormal and huge ones, none at all.
SPECIAL = torch.tensor(
    [
        *(NAN, INF, -INF, 0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 0.3, -0.3, 1.0, -1.0, 7.9, -7.9),
        *(1e-45, -1e-45, 1e-39, 1e-30, 2.0**22 + 0.5, 2.0**23 - 0.5, 2.0**23 + 1, 2.0**52 + 1),
        *(3.4e38, -3.4e38, 88.7, 89.0, -87.5, -103.0, -104.5, 0.624, 0.626, 1e-4, 20.0, -1e5),
    ]
).double()


def run(op, *operands, dtype=torch.float32, backward=False):
    """The operation on values [n] of a dtype; its operands may be numbers."""
    x_seqs = [o.to(dtype)[None] for o in operands if isinstance(o, torch.Tensor)]
    inputs = iter(f"x{i}" for i in range(len(x_seqs)))
    names = (next(inputs) if isinstance(o, torch.Tensor) else o for o in operands)
    line = Line("t0", op, tuple(names))
    truth = [Line("t1", "float", ("t0",))] if op in triton_source.PREDICATES else []
    code = Code((line, *truth), (f"t{len(truth)}",))
    if not backward:
        program = Program(len(x_seqs), 0, 0, code, 1)
        return ENGINE.forward(program, Layout(x_seqs[0]), x_seqs, [], [])[0][0][0]
    read = tuple(range(len(x_seqs)))
    program = Program(len(x_seqs), 0, 0, Code((), ("x0",)), 1, (), read, code)
    layout, saved = Layout(x_seqs[0]), dict(enumerate(x_seqs))
    return ENGINE.backward(program, layout, [None], [], [], saved, [])[0][0][0]


def equal(found, expected):
    """Bit by bit, zeros' signs too, but for what nan carries."""
    assert torch.equal(found.isnan(), expected.isnan())
    assert torch.equal(found.nan_to_num(7), expected.nan_to_num(7))
    zero = expected == 0
    assert torch.equal(found[zero].signbit(), expected[zero].signbit())


def ulps(value, exact):
    """The error in units of the last place, subnormal ones at the least."""
    rounded = exact.to(value.dtype)
    unit = (torch.nextafter(rounded.abs(), torch.tensor(INF)) - rounded.abs()).double()
    return (value.double() - exact).abs() / unit


def floats(step):
    """Every step-th float, of both signs, nan and inf among them, and the special ones."""
    bits = torch.arange(-(2**31), 2**31, step, dtype=torch.int64).to(torch.int32)
    return torch.cat((bits.view(torch.float32), SPECIAL.float()))


def test_every_operation_is_printed():
    printed = {**triton_source.OPERATIONS, **triton_source.PREDICATES}
    assert set(printed) == set(expression.OPERATIONS) - {"detach", "spike"}
    assert set(triton_source.PREDICATES) == {
        name for name, operation in expression.OPERATIONS.items() if operation.boolean
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("op", ["neg", "abs", "sqrt", "relu", "round", "floor", "ceil", "sign"])
def test_one_operand_to_the_bit(op, dtype):
    x = SPECIAL.to(dtype)
    found, expected = run(op, SPECIAL, dtype=dtype), getattr(torch, op)(x)
    if op == "sqrt" and dtype == torch.float64:  # torch's own is one unit off at times
        expected = torch.tensor([math.sqrt(v) if v >= 0 else NAN for v in x], dtype=dtype)
    if op in ("relu", "sign"):  # 0 may have either sign
        found, expected = found + 0.0, expected + 0.0
    equal(found, expected)


BINARY = {
    **{n: getattr(torch, n) for n in ("add", "sub", "mul", "div", "maximum", "minimum")},
    **{n: getattr(torch, n) for n in ("lt", "le", "gt", "ge", "eq", "ne")},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("op", BINARY)
def test_two_operands_to_the_bit(op, dtype):
    a, b = (g.flatten() for g in torch.meshgrid(SPECIAL, SPECIAL, indexing="ij"))
    expected = BINARY[op](a.to(dtype), b.to(dtype)).to(dtype)
    found = run(op, a, b, dtype=dtype)
    if op in ("maximum", "minimum"):  # of 0 and -0 either is right
        found, expected = found + 0.0, expected + 0.0
    equal(found, expected)


@pytest.mark.parametrize("number", [0.1, -0.0, 1e-45, 3e38, 1e300, INF, -INF, NAN])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_numbers_are_printed_exactly(number, dtype):
    x = SPECIAL.to(dtype)
    equal(run("mul", SPECIAL, number, dtype=dtype), x * torch.tensor(number, dtype=dtype))
    equal(run("sub", number, SPECIAL, dtype=dtype), torch.tensor(number, dtype=dtype) - x)


def test_truth_values():
    x = SPECIAL
    lines = (
        Line("t0", "gt", ("x0", 0.0)),
        Line("t1", "lt", ("x0", 2.0)),
        Line("t2", "and", ("t0", "t1")),
        Line("t3", "not", ("t2",)),
        Line("t4", "ne", ("x0", "x0")),
        Line("t5", "or", ("t3", "t4")),
        Line("t6", "where", ("t5", "x0", -3.0)),
        Line("t7", "where", ("t2", 1.0, 2.0)),
    )
    program = Program(1, 0, 0, Code(lines, ("t6", "t7")), 2)
    x_seq = x.float()[None]
    found = ENGINE.forward(program, Layout(x_seq), [x_seq], [], [])[0]
    inside = (x_seq > 0) & (x_seq < 2)
    equal(found[0], torch.where(inside, -3.0, x_seq))
    equal(found[1], torch.where(inside, 1.0, 2.0))


CLOSE = {"exp": 2, "sigmoid": 4, "tanh": 2, "log": 4, "sin": 2, "cos": 2}


@pytest.mark.parametrize("op", CLOSE)
def test_functions_are_within_units_of_the_last_place(op):
    x = floats(30011)
    if op in ("sin", "cos"):
        x = x[~(x.abs() > 1e4)]
    y, exact = run(op, x), getattr(torch, op)(x.double())
    equal(y[exact.isnan() | exact.isinf()], exact.float()[exact.isnan() | exact.isinf()])
    rounded = exact.float()
    finite = rounded.isfinite() & (rounded.abs() < torch.finfo(torch.float32).max)
    if op == "sigmoid":  # 1 / (1 + exp(-x)) ends at 0 where exp ends at inf
        assert (y[finite & (exact < 1e-37)] < 1e-36).all()
        finite &= exact > 1e-37
    assert ulps(y[finite], exact[finite]).max() <= CLOSE[op]


@pytest.mark.parametrize("op", CLOSE)
def test_functions_in_double_precision(op):
    x = torch.cat((torch.linspace(-30, 30, 5001).double(), SPECIAL))
    torch.testing.assert_close(
        run(op, x, dtype=torch.float64),
        getattr(torch, op)(x),
        rtol=1e-14,
        atol=1e-300,
        equal_nan=True,
    )


@pytest.mark.parametrize("op", ["exp", "sigmoid"])
def test_functions_in_gradients_are_near(op):
    x = torch.cat((floats(30011), torch.linspace(-104.5, 89.5, 50001)))
    y, exact = run(op, x, backward=True), getattr(torch, op)(x.double())
    assert torch.equal(y.isnan(), x.isnan())
    normal = (exact > 1e-37) & (exact < 3e38)
    assert ulps(y[normal], exact[normal]).max() <= 4
    assert (y[exact > 3.5e38] == INF).all()
    assert (y[exact < 1e-37] < 1e-36).all()


def test_what_decides_a_truth_value_in_a_gradient_is_that_of_the_forward():
    """A quotient by a number may round otherwise where no comparison sees it."""
    lines = (
        Line("t0", "div", ("x0", "p0")),
        Line("t1", "exp", ("t0",)),
        Line("t2", "ge", ("t1", 1.0)),
        Line("t3", "div", ("g0", "p0")),
        Line("t4", "exp", ("x0",)),
        Line("t5", "mul", ("t3", "t4")),
        Line("t6", "where", ("t2", "t5", 0.0)),
    )
    program = Program(1, 0, 1, Code((), ("x0",)), 1, (), (0,), Code(lines, ("t6",)))
    text = triton_source.source(program, ("number",), "float32", 1)
    for printed in (
        "t0 = divide_(x0, p0)\n",
        "t1 = exp_(t0)\n",
        "t3 = g0 * divide_(n0, p0)\n",
        "t4 = near_exp_(x0)\n",
    ):
        assert f"        {printed}" in text


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_what_is_saved_in_16_bits_stays_finite(dtype):
    program = Program(
        1, 0, 0, Code((Line("t0", "mul", ("x0", "x0")),), ("x0", "t0")), 1, ("value",)
    )
    x = torch.tensor([1.0, 300.0, 1e4, 6e4, INF, -INF, NAN, 0.0]).to(dtype)[None]
    saved = ENGINE.forward(program, Layout(x), [x], [], [])[2][0]
    exact = x.float() * x.float()
    most = torch.finfo(dtype).max
    expected = torch.where(exact.isinf(), exact, exact.clamp(-most, most)).to(dtype)
    equal(saved.float(), expected.float())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_results_are_rounded_to_16_bits_as_torch_does(dtype):
    small = torch.arange(2**16).to(torch.int16).view(dtype).float()
    between = (small + torch.nextafter(small, torch.tensor(INF))) / 2
    x = torch.cat((small * (1 + 2**-9), small * (1 + 2**-11), between))
    program = Program(2, 0, 0, Code((Line("t0", "mul", ("x0", "x1")),), ("t0",)), 1)
    halves = [x.to(dtype)[None], torch.full_like(x, 1 + 2**-7).to(dtype)[None]]
    found = ENGINE.forward(program, Layout(halves[0]), halves, [], [])[0][0]
    expected = (halves[0].float() * halves[1].float()).to(dtype)
    equal(found.float(), expected.float())


def test_equal_programs_print_equal_sources():
    lines = (Line("t0", "mul", ("x0", "p0")),)
    program = Program(1, 0, 1, Code(lines, ("t0",)), 1)
    texts = {
        triton_source.source(program, (kind,), storage, ahead)
        for kind in ("number", "scalar", "array")
        for storage in ("float32", "float64")
        for ahead in (1, 4)
        for _ in range(2)
    }
    assert len(texts) == 12
