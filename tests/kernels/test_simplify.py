"""Rewritten code has the results of what was written."""

import pytest
import torch
from spikeframe.kernels.program import Code, Line
from spikeframe.kernels.simplify import ancestors, decisive_ancestors, fold, fuse, kind_of, prune
from straight_line import PROGRAMS, evaluate, inputs

KINDS = {"zero": 0.0, "one": 1.0, "finite": 0.625, "value": 0.625}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", PROGRAMS, ids=str)
def test_folding_and_joining_keep_every_bit_of_the_forward(case, kind):
    program = case()
    kinds = (kind,) * program.n_parameters
    values = inputs(program)
    values |= {f"p{i}": torch.tensor(KINDS[kind]).double() for i in range(len(kinds))}
    expected = evaluate(program.forward, values)
    for code in (fold(program.forward, kinds), fuse(fold(program.forward, kinds), loose=False)):
        assert len(code.lines) <= len(program.forward.lines)
        for found, right in zip(evaluate(code, values), expected, strict=True):
            found, right = torch.broadcast_tensors(found, right)
            assert torch.equal(found.nan_to_num(), right.nan_to_num())


@pytest.mark.parametrize("case", PROGRAMS, ids=str)
def test_joining_a_backward_stays_close(case):
    program = case()
    values = inputs(program)
    code = fuse(program.backward, loose=True)
    expected = evaluate(program.backward, values)
    for found, right in zip(evaluate(code, values), expected, strict=True):
        torch.testing.assert_close(found, right.expand_as(found), equal_nan=True)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *[(0.0, "zero"), (-0.0, "finite"), (1, "one"), (2.5, "finite")],
        *[(float("inf"), "value"), (float("nan"), "value"), (torch.tensor(1.0), "value")],
    ],
)
def test_the_kind_of_a_parameter(value, kind):
    assert kind_of(value) == kind


def test_a_factor_of_one_and_a_sum_of_zero_are_left_out():
    lines = (
        Line("t0", "mul", ("x0", "p0")),
        Line("t1", "add", ("t0", 0.0)),
        Line("t2", "sub", ("t1", "p1")),
    )
    assert fold(Code(lines, ("t2",)), ("one", "zero")) == Code((), ("x0",))


def test_a_division_tells_zeros_apart():
    """0 + -0 is 0: leaving the sum out would change the sign of what it divides."""
    lines = (Line("t0", "add", ("x0", 0.0)), Line("t1", "div", (1.0, "t0")))
    assert fold(Code(lines, ("t1",)), ()) == Code(lines, ("t1",))


def test_a_difference_compared_with_zero_is_a_comparison():
    lines = (Line("t0", "sub", ("x0", "p0")), Line("t1", "ge", ("t0", 0.0)))
    folded = fold(Code(lines, ("t1",)), ("finite",))
    assert folded.lines == (Line("t1", "ge", ("x0", "p0")),)
    # Of an infinite threshold the difference may be nan.
    assert fold(Code(lines, ("t1",)), ("value",)).lines == lines


def test_a_product_with_a_reciprocal_is_a_quotient():
    lines = (
        Line("t0", "div", (1.0, "k0")),
        Line("t1", "mul", ("t0", "g0")),
        Line("t2", "mul", ("k1", "t0")),
        Line("t3", "sub", ("t1", "t2")),
    )
    fused = fuse(Code(lines, ("t3",)), loose=True)
    assert fused.lines == (
        Line("t1", "div", ("g0", "k0")),
        Line("t3", "addcdiv-", ("t1", "k1", "k0")),
    )
    assert not any(
        line.op.startswith("addcdiv") for line in fuse(Code(lines, ("t3",)), False).lines
    )
    # One division for all neurons is less than one for each.
    lines = (Line("t0", "div", (1.0, "p0")), Line("t1", "mul", ("g0", "t0")))
    assert fuse(Code(lines, ("t1",)), loose=True).lines == lines
    lines = (Line("t0", "div", ("p0", "k0")), Line("t1", "mul", ("g0", "t0")))
    assert fuse(fold(Code(lines, ("t1",)), ("one",)), loose=True).lines == (
        Line("t1", "div", ("g0", "k0")),
    )


def test_what_no_result_needs_is_dropped():
    lines = (Line("t0", "neg", ("x0",)), Line("t1", "abs", ("x0",)))
    assert prune(Code(lines, ("t1",))).lines == lines[1:]
    assert ancestors(Code(lines, ("t1",)), {"t1"}) == {"t1", "x0"}


def test_what_a_comparison_depends_on_is_decisive():
    lines = (
        Line("t0", "mul", ("x0", "p0")),
        Line("t1", "ge", ("t0", 0.0)),
        Line("t2", "exp", ("x0",)),
    )
    assert decisive_ancestors(Code(lines, ("t1", "t2"))) == {"t0", "t1", "x0", "p0"}
