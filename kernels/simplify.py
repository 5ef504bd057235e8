"""Rewrites straight-line code into fewer operations of the same results, for torch operations.

Forward code keeps every bit (but for the sign of a zero). Gradients may round once instead of
twice; what a spike is recomputed from may not.
"""

import math
from collections import Counter
from collections.abc import Sequence

from .expression import OPERATIONS
from .program import Code, Line

__all__ = ["ancestors", "decisive_ancestors", "fold", "fuse", "kind_of"]

Operand = str | float

FLIPPED = {"ge": "lt", "lt": "ge", "gt": "le", "le": "gt"}
STEPS_OF_VALUE = ("round", "floor", "ceil", "sign", "isnan")


def kind_of(parameter: object) -> str:
    """What a plan may know of a parameter: zero, one, finite, or nothing of it."""
    if not isinstance(parameter, int | float) or not math.isfinite(parameter):
        return "value"
    if repr(float(parameter)) == "0.0":
        return "zero"
    return "one" if parameter == 1 else "finite"


def fold(code: Code, kinds: Sequence[str]) -> Code:
    """Leave out what the parameters' kinds make idle.

    Arguments:
        code: The code.
        kinds: Of each parameter, by :func:`kind_of`.
    """
    folder = _Folder(code, kinds)
    lines = []
    for line in code.lines:
        operands = tuple(
            folder.known.get(o, o) if isinstance(o, str) else o for o in line.operands
        )
        result = folder.result(line.op, operands)
        if isinstance(result, Line):
            made = Line(line.target, result.op, result.operands)
            folder.made[line.target] = made
            lines.append(made)
        else:
            folder.known[line.target] = result
    results = tuple(folder.known.get(r, r) if isinstance(r, str) else r for r in code.results)
    return prune(Code(tuple(lines), results))


class _Folder:
    """What is known of the values so far."""

    def __init__(self, code: Code, kinds: Sequence[str]) -> None:
        self.known: dict[str, Operand] = {}
        self.made: dict[str, Line] = {}
        self._kinds = {f"p{i}": kind for i, kind in enumerate(kinds)}
        divisors = {line.operands[1] for line in code.lines if line.op == "div"}
        # Only a division by it can tell 0.0 from -0.0.
        self._signed_zeros = any(isinstance(d, str) and d[0] != "p" for d in divisors)

    def result(self, op: str, operands: tuple[Operand, ...]) -> Operand | Line:
        a, b = (*operands, *(None, None))[:2]
        if op == "sub" and self._is(b, "zero"):
            return a  # type: ignore[return-value]
        if op in ("mul", "div") and self._is(b, "one"):
            return a  # type: ignore[return-value]
        if op == "mul" and self._is(a, "one"):
            return b  # type: ignore[return-value]
        if op == "div" and self._is(a, "one"):
            return Line("", op, (1.0, b))  # type: ignore[arg-type]
        if op == "mul" and self._vanishes(a, b):
            return 0.0
        if op == "add" and not self._signed_zeros and 0.0 in (a, b):
            return b if a == 0.0 else a  # type: ignore[return-value]
        if op in FLIPPED and b == 0.0:
            return self._difference(op, operands)
        return Line("", op, operands)

    def _difference(self, op: str, operands: tuple[Operand, ...]) -> Line:
        """``a - b >= 0`` is ``a >= b``, as no difference of unequal numbers rounds to 0."""
        line = self.made.get(operands[0])  # type: ignore[arg-type]
        if line is not None and line.op == "sub" and self._finite(line.operands[1]):
            return Line("", op, line.operands)
        return Line("", op, operands)

    def _vanishes(self, a: Operand | None, b: Operand | None) -> bool:
        """Whether a product is a zero, of whatever sign."""
        return any(
            self._is(zero, "zero")
            and (_is_cotangent(other) or (self._is_mask(other) and not self._signed_zeros))
            for other, zero in ((a, b), (b, a))
        )

    def _is_mask(self, name: Operand | None) -> bool:
        return is_mask(name, self.made)

    def _is(self, operand: Operand | None, kind: str) -> bool:
        if isinstance(operand, str):
            return self._kinds.get(operand) == kind
        return operand is not None and kind_of(operand) == kind

    def _finite(self, operand: Operand) -> bool:
        kind = self._kinds.get(operand) if isinstance(operand, str) else kind_of(operand)
        return kind not in (None, "value")


def _is_cotangent(name: Operand | None) -> bool:
    return isinstance(name, str) and name[0] in "gc"


def is_mask(name: Operand | None, made: dict[str, Line]) -> bool:
    """Whether a value is 0 or 1 everywhere, so that multiplying by it is exact."""
    line = made.get(name) if isinstance(name, str) else None
    if line is None:
        return False
    if line.op == "sub":
        return line.operands[0] == 1.0 and is_mask(line.operands[1], made)
    return line.op.startswith("float")


def fuse(code: Code, loose: bool) -> Code:
    """Join pairs of lines that one torch operation does.

    Arguments:
        code: The code.
        loose: Whether lines that no comparison depends on may round differently.
    """
    uses = Counter(o for line in code.lines for o in line.operands)
    uses.update(code.results)
    made = {line.target: line for line in code.lines}
    exact = ancestors(code, _decisive(code)) if loose else set(made)
    lines, reciprocals = dict[str, Line](), dict[Operand, Operand]()
    varying = set[Operand]()
    for line in code.lines:
        if varying.intersection(line.operands) or any(map(_is_given, line.operands)):
            varying.add(line.target)
        joined = _joined(line, lines, uses, exact)
        if line.target not in exact:
            joined = _divided(joined, reciprocals)
        if joined.op == "div" and joined.operands[0] == 1.0 and line.target in varying:
            reciprocals[line.target] = joined.operands[1]
        lines[line.target] = joined
    return prune(Code(tuple(lines.values()), code.results))


def _joined(line: Line, made: dict[str, Line], uses: Counter[Operand], exact: set[str]) -> Line:
    if line.op == "float":
        return _float(line, made)
    if line.op not in ("add", "sub"):
        return line
    places = (1, 0) if line.op == "add" else (1,)
    for place in places:
        inner, other = made.get(line.operands[place]), line.operands[1 - place]  # type: ignore[arg-type]
        if inner is None or uses[inner.target] > 1 or not any(map(varies, inner.operands)):
            continue
        sign = "" if line.op == "add" else "-"
        if inner.op == "div":
            return Line(line.target, f"addcdiv{sign}", (other, *inner.operands))
        masked = any(is_mask(o, made) for o in inner.operands)
        if inner.op == "mul" and (masked or line.target not in exact):
            return Line(line.target, f"addcmul{sign}", (other, *inner.operands))
    return line


def _divided(line: Line, reciprocals: dict[Operand, Operand]) -> Line:
    """A quotient in place of a product with a reciprocal."""
    quotients = {"mul": "div", "addcmul": "addcdiv", "addcmul-": "addcdiv-"}
    if line.op not in quotients:
        return line
    *first, a, b = line.operands
    for x, y in ((a, b), (b, a)):
        if y in reciprocals:
            return Line(line.target, quotients[line.op], (*first, x, reciprocals[y]))
    return line


def _is_given(operand: Operand) -> bool:
    """Whether an operand is an input, a state, a saved value or a cotangent."""
    return isinstance(operand, str) and operand[0] in "xvkgc"


def _float(line: Line, made: dict[str, Line]) -> Line:
    """A comparison whose result is the number 1 or 0 at once."""
    inner = made.get(line.operands[0])  # type: ignore[arg-type]
    if inner is None or inner.op not in ("lt", "le", "gt", "ge", "eq", "ne"):
        return line
    return Line(line.target, f"float_{inner.op}", inner.operands)


def varies(operand: Operand) -> bool:
    """Whether an operand is other than a number or a parameter as it is."""
    return isinstance(operand, str) and operand[0] != "p"


def _decisive(code: Code) -> set[str]:
    """Lines at which a small difference becomes a large one."""
    return {
        line.target
        for line in code.lines
        if line.op in STEPS_OF_VALUE
        or line.op.startswith("float")
        or (line.op in OPERATIONS and OPERATIONS[line.op].boolean)
    }


def ancestors(code: Code, roots: set[str]) -> set[str]:
    """The names that ``roots`` are computed from, with themselves."""
    found = set(roots)
    for line in reversed(code.lines):
        if line.target in found:
            found.update(o for o in line.operands if isinstance(o, str))
    return found


def prune(code: Code) -> Code:
    """Without the lines that no result needs."""
    needed = ancestors(code, {r for r in code.results if isinstance(r, str)})
    return Code(tuple(line for line in code.lines if line.target in needed), code.results)


def decisive_ancestors(code: Code) -> set[str]:
    """The names on which a comparison depends."""
    return ancestors(code, _decisive(code))
