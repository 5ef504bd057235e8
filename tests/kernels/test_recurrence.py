"""The backward as a linear map of its cotangents."""

import pytest
import torch
from spikeframe.kernels.program import Code, Line
from spikeframe.kernels.recurrence import linearize
from straight_line import PROGRAMS, evaluate, inputs


@pytest.mark.parametrize("case", PROGRAMS, ids=str)
def test_the_results_are_those_of_the_backward(case):
    program = case()
    for seed in range(3):
        values = inputs(program, seed)
        expected = evaluate(program.backward, values)
        found = evaluate(linearize(program.backward), values)
        for value, right in zip(found, expected, strict=True):
            torch.testing.assert_close(value, right.expand_as(value), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", PROGRAMS, ids=str)
def test_an_absent_cotangent_is_zero(case):
    program = case()
    values = inputs(program)
    zeros = values | {"g0": torch.zeros_like(values["g0"])}
    code = linearize(program.backward, frozenset(["g0"]))
    assert not any("g0" in line.operands for line in code.lines)
    for value, right in zip(
        evaluate(code, values), evaluate(program.backward, zeros), strict=True
    ):
        torch.testing.assert_close(value, right.expand_as(value), rtol=1e-9, atol=1e-9)


def test_coefficients_come_before_the_recurrence():
    """A product and a sum are all that is left of a carried cotangent."""
    lines = (
        Line("t0", "mul", ("c0", "k0")),
        Line("t1", "mul", ("g0", "k1")),
        Line("t2", "add", ("t0", "t1")),
        Line("t3", "mul", ("t2", "p0")),
    )
    code = linearize(Code(lines, ("t2", "t3")))
    carried = [line for line in code.lines if "c0" in line.operands]
    assert [line.op for line in carried] == ["mul"]


@pytest.mark.parametrize(
    "line",
    [
        Line("t0", "mul", ("c0", "g0")),
        Line("t0", "add", ("c0", 1.0)),
        Line("t0", "exp", ("c0",)),
        Line("t0", "div", (1.0, "c0")),
        Line("t0", "where", ("k0", "c0", 2.0)),
    ],
    ids=lambda line: line.op,
)
def test_what_is_not_linear_is_refused(line):
    with pytest.raises(ValueError, match=f"{line.op}.*is not linear in its cotangents"):
        linearize(Code((line,), ("t0",)))
