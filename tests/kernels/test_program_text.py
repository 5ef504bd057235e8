"""The text of a program: a header, a line per operation, numbers bit by bit."""

import math

from spikeframe.kernels.program import Code, Line, Program
from spikeframe.kernels.program_text import FIELDS, VERSION, to_text

FORWARD = Code(
    (Line("t0", "sub", ("x0", "p0")), Line("t1", "ge", ("t0", 0.1))), ("t1", "v0", "t0")
)
BACKWARD = Code((Line("t0", "mul", ("g0", "k0")),), ("t0", -0.0, 0.0))


def test_a_program_without_a_backward():
    text = to_text(Program(1, 1, 1, FORWARD, 2))
    assert text.splitlines() == [
        f"{VERSION} inputs=1 states=1 parameters=1 outputs=2 saved= saved_inputs= differentiated=",
        "forward",
        "t0 sub x0 p0",
        "t1 ge t0 0.1",
        "return t1 v0 t0",
    ]


def test_a_program_with_one():
    program = Program(2, 1, 3, FORWARD, 1, ("value", "bit"), (0, 1), BACKWARD, (0, 2))
    header, *_, mark, line, end = to_text(program).splitlines()
    assert header.endswith("saved=value,bit saved_inputs=0,1 differentiated=0,2")
    assert [mark, line, end] == ["backward", "t0 mul g0 k0", "return t0 -0.0 0.0"]


def test_the_header_has_every_field_once_in_order():
    header, *_ = to_text(Program(1, 1, 1, FORWARD, 2)).splitlines()
    assert tuple(part.split("=")[0] for part in header.split()[1:]) == FIELDS


def test_numbers_are_read_back_as_they_were():
    numbers = (0.1, 1 / 3, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 2)
    code = Code((), numbers)
    *_, end = to_text(Program(0, 0, 0, code, len(numbers))).splitlines()
    found = [float(word) for word in end.split()[1:]]
    assert list(map(repr, found)) == list(map(repr, map(float, numbers)))
