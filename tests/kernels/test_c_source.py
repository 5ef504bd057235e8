"""What kernels in C++ and CUDA C++ share: each operation once, and the order of a kernel."""

import math
import re

import pytest
from spikeframe.kernels import operations as operations
from spikeframe.kernels.c_source import OPERATIONS, PREDICATES, Kernel, literal
from spikeframe.kernels.expression import OPERATIONS as KNOWN
from spikeframe.kernels.program import Code, Line, Program

FORWARD = Code(
    (
        Line("t0", "add", ("x0", "v0")),
        Line("t1", "ge", ("t0", "p0")),
        Line("t2", "float", ("t1",)),
        Line("t3", "where", ("t1", 0.5, "t0")),
    ),
    ("t2", "t3", "t0", "t1"),
)
BACKWARD = Code((Line("t0", "mul", ("g0", "k0")),), ("t0", "c0", "t0"))
PROGRAM = Program(1, 1, 1, FORWARD, 1, ("value", "bit"), (0,), BACKWARD, (0,))


class Listed(Kernel):
    """Lists in which order a kernel asks for what."""

    def __init__(self, program):
        super().__init__(program)
        self.asked = []

    def _text(self, name):
        return "\n".join((name, *self.asked, *self.body))


for _name in [
    name for name, part in vars(Kernel).items() if hasattr(part, "__isabstractmethod__")
]:
    if _name != "_text":

        def _asked(self, *given, _name=_name):
            self.asked.append(" ".join((_name[1:], *given)))

        setattr(Listed, _name, _asked)
Listed.__abstractmethods__ = frozenset()


def test_every_operation_is_printed_once():
    """Detach and spike are no lines of a program."""
    assert OPERATIONS.keys().isdisjoint(PREDICATES)
    printed = OPERATIONS.keys() | PREDICATES.keys()
    assert printed - {"isnan"} == KNOWN.keys() - {"detach", "spike"}
    for name, form in (OPERATIONS | PREDICATES).items():
        places = {int(number) for number in re.findall(r"\{(\d)\}", form)}
        assert places == set(range(1 if name == "isnan" else KNOWN[name].arity))
    assert {name for name in PREDICATES if name != "isnan"} == {
        name for name, operation in KNOWN.items() if operation.boolean
    }


def test_the_order_of_a_forward():
    name, *lines = Listed(PROGRAM).forward().splitlines()
    assert name == "forward"
    assert lines == [
        "read x0",
        "state v0",
        "write o0",
        "write s0",
        "write_bits s1",
        "parameters",
        "store_value s0 t0",
        "store_bit s1 t1",
        "const R v0 = array_v0[l];",
        "const R t0 = x0 + v0;",
        "const bool t1 = t0 >= p0;",
        "const R t2 = t1 ? R(1) : R(0);",
        "const R t3 = t1 ? R(0.5) : t0;",
        "row_o0[l] = t2;",
        "array_v0[l] = t3;",
    ]


def test_the_order_of_a_backward():
    name, *lines = Listed(PROGRAM).backward(BACKWARD).splitlines()
    assert name == "backward"
    assert lines == [
        "read g0",
        "read k0",
        "read_bits k1",
        "read x0",
        "state c0",
        "write d0",
        "parameters",
        "total total0",
        "const R c0 = array_c0[l];",
        "const R t0 = g0 * k0;",
        "row_d0[l] = t0;",
        "array_total0[l] += t0;",
        "array_c0[l] = c0;",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("t0", "t0"),
        (0.1, "R(0.1)"),
        (-0.0, "R(-0.0)"),
        (5e-324, "R(5e-324)"),
        (math.inf, "R(INFINITY)"),
        (-math.inf, "R(-INFINITY)"),
        (math.nan, "R(NAN)"),
    ],
)
def test_operands(value, text):
    assert literal(value) == text
