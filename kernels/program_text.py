"""A program as text: compact, versioned, the same in every process. No imports.

A header names the version and counts; each line after it is one operation, ``t0 sub x0 p1``,
of the forward and, where there is one, of the backward; ``return`` names their results.
"""

from typing import Any

__all__ = ["FIELDS", "VERSION", "to_text"]

VERSION = "spikeframe-program-1"

# What the header counts or lists, in its order.
FIELDS = ("inputs", "states", "parameters", "outputs", "saved", "saved_inputs", "differentiated")


def to_text(program: Any) -> str:
    """The text of a program, from which ``parse`` makes an equal one."""
    values = (
        program.n_inputs,
        program.n_states,
        program.n_parameters,
        program.n_outputs,
        ",".join(program.saved),
        ",".join(map(str, program.saved_inputs)),
        ",".join(map(str, program.differentiated)),
    )
    header = [f"{name}={value}" for name, value in zip(FIELDS, values, strict=True)]
    lines = [" ".join([VERSION, *header]), "forward", *_lines(program.forward)]
    if program.backward is not None:
        lines += ["backward", *_lines(program.backward)]
    return "\n".join(lines)


def _lines(code: Any) -> list[str]:
    lines = [" ".join((line.target, line.op, *map(_shown, line.operands))) for line in code.lines]
    return [*lines, " ".join(("return", *map(_shown, code.results)))]


def _shown(operand: str | float) -> str:
    """A name as it is, a number so that reading it gives it back bit by bit."""
    return operand if isinstance(operand, str) else repr(float(operand))
