"""The backward as what it is, linear in its cotangents: ``c' = A + B c``.

A and B depend on no carried value, so they are computed for many steps at once, and what is left
of the recurrence is a product and a sum per step.
"""

from dataclasses import dataclass, field

from .program import Code, Line

__all__ = ["linearize"]

Operand = str | float
Term = tuple[float, Operand | None]
"""A number times a coefficient, None for 1."""
Linear = dict[str, Term]
"""The sum of term times source, by source."""


def linearize(code: Code, absent: frozenset[str] = frozenset()) -> Code:
    """The code with its cotangents ``g.``, ``c.`` multiplied by coefficients without them.

    Arguments:
        code: The backward.
        absent: Cotangents that are 0.

    Raises:
        ValueError: It does something else with a cotangent than + - * / and selecting.
    """
    made = _Made(absent)
    for line in code.lines:
        made.add(line)
    results = tuple(made.materialize(result) for result in code.results)
    return Code(tuple(made.lines), results)


@dataclass
class _Made:
    absent: frozenset[str]
    lines: list[Line] = field(default_factory=list)
    _linear: dict[str, Linear] = field(default_factory=dict)
    _names: dict[object, str] = field(default_factory=dict)
    _uniform: set[str] = field(default_factory=set)

    def add(self, line: Line) -> None:
        """Take one line of the backward."""
        parts = [self._linear_of(operand) for operand in line.operands]
        if all(part is None for part in parts):
            self._emit(line.op, line.operands, line.target)
        else:
            self._linear[line.target] = self._rule(line, parts)

    def materialize(self, operand: Operand) -> Operand:
        """The name of a value, computed if it is a sum of products."""
        linear = self._linear_of(operand)
        return operand if linear is None else self._total(linear)

    def _total(self, linear: Linear) -> Operand:
        total: Operand = 0.0
        # Carried cotangents last: what stands before them is computed for many steps at once.
        for source in sorted(linear, key=lambda name: (name[0] != "g", name)):
            negative, term = self._product(source, *linear[source])
            if total == 0.0:
                total = self._emit("neg", (term,)) if negative else term
            else:
                total = self._emit("sub" if negative else "add", (total, term))
        return total

    def _rule(self, line: Line, parts: list[Linear | None]) -> Linear:
        a, b = (*parts, None)[:2]
        if line.op in ("add", "sub"):
            self._check_zeros(line, parts, line.operands)
            return self._sum(a or {}, b or {}, 1.0 if line.op == "add" else -1.0)
        if line.op == "neg" and a is not None:
            return {source: (-n, c) for source, (n, c) in a.items()}
        if line.op == "mul" and a is None and b is not None:
            return self._scaled(b, "mul", line.operands[0])
        if line.op in ("mul", "div") and a is not None and b is None:
            return self._scaled(a, line.op, line.operands[1])
        if line.op == "where" and a is None:
            self._check_zeros(line, parts[1:], line.operands[1:])
            return self._selected(line.operands[0], parts[1] or {}, parts[2] or {})
        raise ValueError(f"{line} is not linear in its cotangents")

    def _check_zeros(
        self, line: Line, parts: list[Linear | None], operands: tuple[Operand, ...]
    ) -> None:
        if any(p is None and o != 0.0 for p, o in zip(parts, operands, strict=True)):
            raise ValueError(f"{line} is not linear in its cotangents")

    def _linear_of(self, operand: Operand) -> Linear | None:
        if not isinstance(operand, str):
            return None
        if operand[0] in "gc":
            return {} if operand in self.absent else {operand: (1.0, None)}
        linear = self._linear.get(operand)
        name = None if linear is None else self._names.get(_key(linear))
        return linear if name is None else {name: (1.0, None)}

    def _sum(self, a: Linear, b: Linear, sign: float) -> Linear:
        total = dict(a)
        for source, (n, c) in b.items():
            term = (sign * n, c)
            total[source] = self._plus(total[source], term) if source in total else term
        return {source: term for source, term in total.items() if term[0] != 0.0}

    def _plus(self, a: Term, b: Term) -> Term:
        if a[1] == b[1]:
            return a[0] + b[0], a[1]
        if b[0] == -1.0:
            return 1.0, self._emit("sub", (self._coefficient(a), self._coefficient((1.0, b[1]))))
        if a[0] == -1.0:
            return 1.0, self._emit("sub", (self._coefficient(b), self._coefficient((1.0, a[1]))))
        return 1.0, self._emit("add", (self._coefficient(a), self._coefficient(b)))

    def _scaled(self, linear: Linear, op: str, factor: Operand) -> Linear:
        if not isinstance(factor, str):
            number = factor if op == "mul" else 1.0 / factor
            return {s: (n * number, c) for s, (n, c) in linear.items() if n * number != 0.0}
        if self._is_uniform(factor) and not all(self._is_uniform(c) for _, c in linear.values()):
            # One product with the sum rather than one with each of its coefficients.
            linear = {self._source(linear): (1.0, None)}
        return {source: (n, self._times(c, op, factor)) for source, (n, c) in linear.items()}

    def _source(self, linear: Linear) -> str:
        """The sum as a source of its own."""
        key = _key(linear)
        if key not in self._names:
            self._names[key] = name = str(self._total(linear))
            self._linear[name] = {name: (1.0, None)}
        return self._names[key]

    def _times(self, coefficient: Operand | None, op: str, factor: str) -> Operand:
        if coefficient is None:
            return factor if op == "mul" else self._emit("div", (1.0, factor))
        return self._emit(op, (coefficient, factor))

    def _selected(self, condition: Operand, a: Linear, b: Linear) -> Linear:
        return {
            s: (1.0, self._emit("where", (condition, self._of(a, s), self._of(b, s))))
            for s in dict.fromkeys((*a, *b))
        }

    def _of(self, linear: Linear, source: str) -> Operand:
        return self._coefficient(linear[source]) if source in linear else 0.0

    def _coefficient(self, term: Term) -> Operand:
        number, coefficient = term
        if coefficient is None:
            return number
        return coefficient if number == 1.0 else self._emit("mul", (coefficient, number))

    def _product(
        self, source: str, number: float, coefficient: Operand | None
    ) -> tuple[bool, str]:
        """Whether the product is to be subtracted, and its name."""
        if coefficient is None:
            if abs(number) == 1.0:
                return number < 0, source
            return False, self._emit("mul", (source, number))
        factor = self._coefficient((abs(number), coefficient))
        return number < 0, self._emit("mul", (factor, source))

    def _is_uniform(self, operand: Operand | None) -> bool:
        return not isinstance(operand, str) or operand[0] == "p" or operand in self._uniform

    def _emit(self, op: str, operands: tuple[Operand, ...], target: str = "") -> str:
        key = (op, operands)
        if not target and key in self._names:
            return self._names[key]
        name = target or f"l{len(self.lines)}"
        self._names.setdefault(key, name)
        self.lines.append(Line(name, op, operands))
        if all(map(self._is_uniform, operands)):
            self._uniform.add(name)
        return name


def _key(linear: Linear) -> object:
    return ("sum", *sorted(linear.items(), key=repr))
