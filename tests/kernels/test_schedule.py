"""Which lines run once, for many steps at a time, and step by step."""

import pytest
from spikeframe.kernels.program import Code, Line
from spikeframe.kernels.schedule import POSITIONAL, schedule
from straight_line import PROGRAMS


def scheduled(program):
    carried = tuple(f"v{i}" for i in range(program.n_states))
    exact = {line.target for line in program.forward.lines}
    return schedule(program.forward, carried, program.n_outputs, exact)


@pytest.mark.parametrize("case", PROGRAMS, ids=str)
def test_every_line_runs_in_one_part_after_what_it_reads(case):
    program = case()
    plan = scheduled(program)
    parts = (plan.once, plan.before, plan.step, plan.after)
    names = [line.target for part in parts for line in part]
    assert len(names) == len(set(names))
    assert {line.target for line in program.forward.lines} <= set(names)
    known = set(plan.carried)
    for part in parts:
        for line in part:
            read = {o for o in line.operands if isinstance(o, str) and o[0] in "tn"}
            assert read <= known
            known.add(line.target)


@pytest.mark.parametrize("case", PROGRAMS, ids=str)
def test_what_no_state_reaches_is_no_part_of_the_recurrence(case):
    program = case()
    plan = scheduled(program)
    reached = set(plan.carried)
    for line in plan.step:
        assert reached & set(line.operands) or line.op in (*POSITIONAL, "copy")
        reached.add(line.target)


def test_a_leaky_sum_steps_only_through_its_sum():
    lines = (
        Line("t0", "mul", ("p0", "p1")),
        Line("t1", "mul", ("x0", "t0")),
        Line("t2", "mul", ("v0", "p0")),
        Line("t3", "add", ("t1", "t2")),
        Line("t4", "ge", ("t3", 1.0)),
    )
    plan = schedule(Code(lines, ("t4", "t3")), ("v0",), 1, set())
    found = [[line.target for line in part] for part in (plan.once, plan.before, plan.step)]
    assert found == [["t0"], ["t1"], ["t2", "t3"]]
    assert [line.target for line in plan.after] == ["t4"]
    assert plan.next == ("t3",)


def test_a_state_that_forgets_itself_is_copied():
    """What it becomes is computed for many steps at once, or once for all."""
    lines = (
        Line("t0", "abs", ("x0",)),
        Line("t1", "mul", ("p0", 0.5)),
        Line("t2", "add", ("v0", "v1")),
    )
    plan = schedule(Code(lines, ("t2", "t0", "t1")), ("v0", "v1"), 1, set())
    assert [line.target for line in (*plan.once, *plan.before)] == ["t1", "t0"]
    assert [(line.op, line.operands) for line in plan.step] == [
        ("copy", ("t0",)),
        ("copy", ("t1",)),
    ]
    assert plan.next == ("n0", "n1")


def test_a_state_that_stays_is_copied():
    plan = schedule(Code((), ("x0", "v0")), ("v0",), 1, set())
    assert [(line.op, line.operands) for line in plan.step] == [("copy", ("v0",))]
    assert plan.next == ("n0",)
