"""Reads a program's text strictly: nothing in it is executed, and nothing wrong passes."""

import functools
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from . import operations as operations
from .expression import OPERATIONS
from .program import Code, Line, Program
from .program_text import FIELDS, VERSION

__all__ = ["parse"]

# What a trace keeps for itself; a program's lines have neither.
NOT_LINES = ("detach", "spike")
# Operations whose operands are truth values, all of them or the first.
OF_TRUTHS = {"and": 2, "or": 2, "not": 1, "float": 1, "where": 1}

_COUNT = re.compile(r"0|[1-9][0-9]{0,3}")
_TARGET = re.compile(r"t(0|[1-9][0-9]{0,5})")
_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]+)?(e[+-][0-9]+)?|inf)|nan")


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Program:
    """The program of a text.

    Raises:
        ValueError: The text is no program; says which line is wrong, and why.
    """
    reader = _Reader(text)
    counts, saved, inputs, differentiated = reader.header()
    n_inputs, n_states, n_parameters, n_outputs = counts
    names = [*_named("x", n_inputs), *_named("v", n_states), *_named("p", n_parameters)]
    results = [*["value"] * (n_outputs + n_states), *saved]
    forward = reader.code("forward", dict.fromkeys(names, "value"), results)
    backward = None
    if reader.more:
        names = [*_named("p", n_parameters), *(f"x{i}" for i in inputs)]
        names += [*_named("g", n_outputs), *_named("c", n_states)]
        known = dict.fromkeys(names, "value") | dict(
            zip(_named("k", len(saved)), saved, strict=True)
        )
        results = ["value"] * (n_inputs + n_states + len(differentiated))
        backward = reader.code("backward", known, results)
    elif saved or inputs or differentiated:
        reader.fail("saves or differentiates without a backward")
    if reader.more:
        reader.fail("has lines after its end")
    program = Program(
        n_inputs,
        n_states,
        n_parameters,
        forward,
        n_outputs,
        saved,
        inputs,
        backward,
        differentiated,
    )
    if program.text != text:
        reader.fail("is not written as spikeframe writes it")
    return program


class _Reader:
    """Goes through the lines of a text once."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether there are lines left."""
        return self._at < len(self._lines)

    def header(self) -> tuple[tuple[int, ...], tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
        """The counts, what is saved, the inputs that are saved, what is differentiated."""
        version, *fields = self._next()
        if version != VERSION:
            self.fail(f"starts with {version!r}: this version of spikeframe reads {VERSION!r}")
        names = [field.partition("=")[0] for field in fields]
        if names != list(FIELDS) or not all("=" in field for field in fields):
            self.fail(f"needs the fields {', '.join(FIELDS)}, has {', '.join(names)}")
        values = [field.partition("=")[2] for field in fields]
        counts = tuple(map(self._count, values[:4]))
        if counts[0] < 1 or not 1 <= counts[3] <= 1 + counts[1]:
            self.fail("needs an input, and the spike and at most every state as outputs")
        saved = tuple(filter(None, values[4].split(",")))
        if not set(saved) <= {"value", "bit"}:
            self.fail(f"saves {values[4]!r}")
        return counts, saved, self._some(values[5], counts[0]), self._some(values[6], counts[2])

    def code(self, name: str, known: dict[str, str], results: Sequence[str]) -> Code:
        """The lines under ``name``, up to their results.

        Arguments:
            name: 'forward' or 'backward'.
            known: What they may read, and whether it is a 'value' or a 'bit'.
            results: What they return.
        """
        if self._next() != [name]:
            self.fail(f"should say {name!r} here")
        lines: list[Line] = []
        while (words := self._next())[0] != "return":
            line, kind = self._line(words, known)
            lines.append(line)
            known[line.target] = kind
        if len(words) - 1 != len(results):
            self.fail(f"returns {len(words) - 1} results where its header counts {len(results)}")
        found = tuple(map(self._operand, words[1:]))
        self._check_kinds(found, results, known)
        return Code(tuple(lines), found)

    def fail(self, what: str) -> NoReturn:
        """Raise a ValueError that says what is wrong with the line read last."""
        line = self._lines[self._at - 1] if self._at else ""
        raise ValueError(
            f"the text of a program {what} (line {self._at}: {line[:80]!r}): only texts that "
            "spikeframe has made are programs"
        )

    def _line(self, words: Sequence[str], known: dict[str, str]) -> tuple[Line, str]:
        if len(words) < 2 or not _TARGET.fullmatch(words[0]):
            self.fail("has a line that is no operation")
        target, op, *rest = words
        if target in known:
            self.fail(f"defines {target} twice")
        if op not in OPERATIONS or op in NOT_LINES:
            self.fail(f"uses the unknown operation {op!r}")
        if len(rest) != OPERATIONS[op].arity:
            self.fail(f"gives {op} {len(rest)} operands instead of {OPERATIONS[op].arity}")
        operands = tuple(map(self._operand, rest))
        truths = OF_TRUTHS.get(op, 0)
        kinds = ["bit"] * truths + ["value"] * (len(rest) - truths)
        self._check_kinds(operands, kinds, known)
        return Line(target, op, operands), "bit" if OPERATIONS[op].boolean else "value"

    def _check_kinds(
        self, operands: Iterable[str | float], kinds: Iterable[str], known: dict[str, str]
    ) -> None:
        for operand, kind in zip(operands, kinds, strict=True):
            found = known.get(operand) if isinstance(operand, str) else "value"
            if found is None:
                self.fail(f"reads {operand}, which is not defined there")
            if found != kind:
                self.fail(f"reads {operand}, a {found}, as a {kind}")

    def _operand(self, word: str) -> str | float:
        if _NUMBER.fullmatch(word):
            return float(word)
        return word

    def _count(self, word: str) -> int:
        if not _COUNT.fullmatch(word):
            self.fail(f"counts {word!r}")
        return int(word)

    def _some(self, words: str, count: int) -> tuple[int, ...]:
        """Some of so many numbers, in order."""
        found = tuple(map(self._count, words.split(","))) if words else ()
        if list(found) != sorted({i for i in found if i < count}):
            self.fail(f"lists {words}, which are not numbers below {count} in order")
        return found

    def _next(self) -> list[str]:
        if not self.more:
            self.fail("ends too early")
        self._at += 1
        return self._lines[self._at - 1].split(" ")


def _named(kind: str, count: int) -> list[str]:
    return [f"{kind}{i}" for i in range(count)]
