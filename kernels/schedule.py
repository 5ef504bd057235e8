"""Which lines run once, which for many steps at a time, and which step by step."""

from dataclasses import dataclass

from .program import Code, Line
from .simplify import ancestors

__all__ = ["Schedule", "schedule"]

# Their vectorised and their scalar form differ in the last bit, so it matters where in memory an
# element lies: what spikes depend on goes step by step, as in eager.
POSITIONAL = ("exp", "log", "sin", "cos", "sigmoid", "tanh")


@dataclass(frozen=True)
class Schedule:
    """Lines by when they run.

    Arguments:
        once: They depend on parameters alone.
        before: For many steps at once, before the recurrence.
        step: The recurrence.
        after: For many steps at once, after the recurrence.
        results: What the code returns.
        carried: The names of the carried values.
        next: The name of each carried value's successor, a line of ``step``.
        whole: The names of values that are read for many steps at once.
    """

    once: tuple[Line, ...]
    before: tuple[Line, ...]
    step: tuple[Line, ...]
    after: tuple[Line, ...]
    results: tuple[str | float, ...]
    carried: tuple[str, ...]
    next: tuple[str, ...]
    whole: frozenset[str]


def schedule(code: Code, carried: tuple[str, ...], at: int, exact: set[str]) -> Schedule:
    """Order the lines of a code.

    Arguments:
        code: The code.
        carried: The names of the carried values.
        at: Its results from this one on are the carried values' successors.
        exact: Values that must not differ by a bit from those of other calls.
    """
    once, uniform = _uniform(code)
    forced = {line.target for line in code.lines if line.op in POSITIONAL} & exact - uniform
    recurrent = _recurrent(code, carried, uniform, forced)
    code, successors = _with_successors(code, carried, at, recurrent)
    recurrent = _recurrent(code, carried, uniform, forced)
    needed = ancestors(code, {*successors, *forced})
    rest = [line for line in code.lines if line.target not in uniform]
    before = tuple(line for line in rest if line.target not in recurrent)
    step = tuple(line for line in rest if line.target in recurrent & needed)
    after = tuple(line for line in rest if line.target in recurrent - needed)
    results = [r for i, r in enumerate(code.results) if not at <= i < at + len(carried)]
    together = [*results, *(o for line in (*before, *after) for o in line.operands)]
    whole = frozenset(name for name in together if isinstance(name, str))
    return Schedule(
        once=tuple(once),
        before=before,
        step=step,
        after=after,
        results=code.results,
        carried=carried,
        next=successors,
        whole=whole,
    )


def _with_successors(
    code: Code, carried: tuple[str, ...], at: int, recurrent: set[str]
) -> tuple[Code, tuple[str, ...]]:
    """Every carried value's successor as a line of its own, which goes step by step."""
    lines, results, successors = list(code.lines), list(code.results), list[str]()
    targets = recurrent - {*carried}
    for i in range(len(carried)):
        result = results[at + i]
        if not isinstance(result, str) or result not in targets or result in successors:
            lines.append(Line(f"n{i}", "copy", (result,)))
            result = f"n{i}"
        successors.append(result)
    results[at : at + len(carried)] = successors
    return Code(tuple(lines), tuple(results)), tuple(successors)


def _uniform(code: Code) -> tuple[list[Line], set[str]]:
    lines, names = [], set[str]()
    for line in code.lines:
        if line.op == "copy":
            continue
        if all(not isinstance(o, str) or o[0] == "p" or o in names for o in line.operands):
            lines.append(line)
            names.add(line.target)
    return lines, names


def _recurrent(
    code: Code, carried: tuple[str, ...], uniform: set[str], forced: set[str]
) -> set[str]:
    """The names of what a carried value, or one that is computed step by step, leads to."""
    names = set(carried)
    for line in code.lines:
        follows = line.op == "copy" or line.target in forced or names.intersection(line.operands)
        if follows and line.target not in uniform:
            names.add(line.target)
    return names
