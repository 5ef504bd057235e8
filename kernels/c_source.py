"""What kernels in C++ and in CUDA C++ say alike: each operation once, and the order of a kernel.

A language of the family adds its memory: how rows are read, written and carried from step to
step. It prints in terms of ``R``, the type of arithmetic, and has in its preamble ``exp_``,
``sigmoid_`` and ``sign_``.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from .program import Code, Line, Program

__all__ = ["OPERATIONS", "PREDICATES", "Kernel", "literal"]

OPERATIONS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "abs": "std::fabs({0})",
    "exp": "exp_({0})",
    "log": "std::log({0})",
    "sqrt": "std::sqrt({0})",
    "sin": "std::sin({0})",
    "cos": "std::cos({0})",
    "sigmoid": "sigmoid_({0})",
    "tanh": "tanh_({0})",
    "maximum": "(({0} > {1}) | ({0} != {0})) ? {0} : {1}",
    "minimum": "(({0} < {1}) | ({0} != {0})) ? {0} : {1}",
    "relu": "{0} <= R(0) ? R(0) : {0}",
    "round": "std::nearbyint({0})",
    "floor": "std::floor({0})",
    "ceil": "std::ceil({0})",
    "sign": "sign_({0})",
    "where": "{0} ? {1} : {2}",
    "float": "{0} ? R(1) : R(0)",
}

PREDICATES = {
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "not": "!{0}",
    "isnan": "{0} != {0}",
}


class Kernel(ABC):
    """Collects the pieces of one kernel; its arguments are numbered in the order of these calls.

    Arguments:
        program: The step.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.body: list[str] = []

    def forward(self) -> str:
        """Inputs, states, outputs, saved values, parameters."""
        p = self.program
        for i in range(p.n_inputs):
            self._read(f"x{i}")
        self._states("v", p.n_states)
        for i in range(p.n_outputs):
            self._write(f"o{i}")
        for i, kind in enumerate(p.saved):
            self._write_bits(f"s{i}") if kind == "bit" else self._write(f"s{i}")
        self._parameters()
        results = self._code(p.forward)
        n, m = p.n_outputs, p.n_states
        self._store("o", results[:n])
        for i, (kind, result) in enumerate(zip(p.saved, results[n + m :], strict=True)):
            if kind == "bit":
                self._store_bit(f"s{i}", result)
            else:
                self._store_value(f"s{i}", result)
        self._carry("v", results[n : n + m])
        return self._text("forward")

    def backward(self, code: Code) -> str:
        """Cotangents, saved values and inputs, states' cotangents, input gradients, parameters."""
        p = self.program
        for i in range(p.n_outputs):
            self._read(f"g{i}")
        for i, kind in enumerate(p.saved):
            self._read_bits(f"k{i}") if kind == "bit" else self._read(f"k{i}")
        for i in p.saved_inputs:
            self._read(f"x{i}")
        self._states("c", p.n_states)
        for i in range(p.n_inputs):
            self._write(f"d{i}")
        self._parameters()
        results = self._code(code)
        n, m = p.n_inputs, p.n_states
        self._store("d", results[:n])
        self._totals(results[n + m :])
        self._carry("c", results[n : n + m])
        return self._text("backward")

    @abstractmethod
    def _read(self, name: str) -> None:
        """A sequence to read, whose value in a lane has this name."""

    @abstractmethod
    def _read_bits(self, name: str) -> None:
        """Saved bits to read."""

    @abstractmethod
    def _write(self, name: str) -> None:
        """A sequence to write, of which a step is put into ``row_NAME[l]``."""

    @abstractmethod
    def _write_bits(self, name: str) -> None:
        """Bits to save."""

    @abstractmethod
    def _store_value(self, name: str, result: str) -> None:
        """A value to save, which must be finite in 16 bits where it is finite."""

    @abstractmethod
    def _store_bit(self, name: str, result: str) -> None:
        """What a step adds to the bits to save."""

    @abstractmethod
    def _state(self, name: str) -> None:
        """What a step hands to the next by ``array_NAME[l]``, before the first and at the end."""

    @abstractmethod
    def _parameters(self) -> None:
        """The values that are the same at every step."""

    @abstractmethod
    def _total(self, name: str) -> None:
        """A sum over time, in ``array_NAME[l]``, which is 0 at the beginning."""

    @abstractmethod
    def _text(self, name: str) -> str:
        """The pieces together."""

    def _expression(self, line: Line) -> str:
        form = PREDICATES[line.op] if line.op in PREDICATES else OPERATIONS[line.op]
        return form.format(*map(literal, line.operands))

    def _code(self, code: Code) -> list[str]:
        for line in code.lines:
            kind = "bool" if line.op in PREDICATES else "R"
            self.body.append(f"const {kind} {line.target} = {self._expression(line)};")
        return [literal(r) for r in code.results]

    def _states(self, kind: str, count: int) -> None:
        for name in (f"{kind}{i}" for i in range(count)):
            self._state(name)
            self.body.append(f"const R {name} = array_{name}[l];")

    def _totals(self, results: Sequence[str]) -> None:
        for i, result in enumerate(results):
            self._total(f"total{i}")
            self.body.append(f"array_total{i}[l] += {result};")

    def _store(self, kind: str, results: Sequence[str]) -> None:
        self.body += [f"row_{kind}{i}[l] = {r};" for i, r in enumerate(results)]

    def _carry(self, kind: str, results: Sequence[str]) -> None:
        self.body += [f"array_{kind}{i}[l] = {r};" for i, r in enumerate(results)]


def literal(value: str | float) -> str:
    """An operand: a name, or a number as the arithmetic has it."""
    if isinstance(value, str):
        return value
    if value != value:
        return "R(NAN)"
    if value in (float("inf"), float("-inf")):
        return "R(INFINITY)" if value > 0 else "R(-INFINITY)"
    return f"R({value!r})"
