"""Python functions that are written out line by line, so that nothing is left to decide in them.

Of what is not ours, their text has identifiers and quoted names in it and nothing else; objects
are bound to names of their own.
"""

import keyword
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Written", "reading"]


class Written:
    """Collects the lines of one function, which gives None where a requirement is not met.

    Arguments:
        arguments: The names of its arguments.
        raising: What a line may raise where a requirement is not met.
    """

    def __init__(
        self, arguments: Sequence[str], raising: tuple[type[Exception], ...] = ()
    ) -> None:
        self._head = f"def function({', '.join(arguments)}):\n    try:\n"
        self._lines: list[str] = []
        self._indent, self._tail = 8, "    except RAISING:\n        return None\n"
        self._names: dict[str, Any] = {"RAISING": raising}

    def bind(self, value: Any) -> str:
        """A name for an object."""
        name = f"bound{len(self._names)}"
        self._names[name] = value
        return name

    def local(self, expression: str) -> str:
        """A local variable for what an expression gives."""
        name = f"local{len(self._lines)}"
        self.line(f"{name} = {expression}")
        return name

    def locals(self, expression: str, count: int) -> list[str]:
        """Local variables for what an expression gives as a tuple."""
        names = [f"local{len(self._lines)}_{i}" for i in range(count)]
        self.line(f"({', '.join(names)},) = {expression}")
        return names

    def line(self, text: str) -> None:
        """A line of its own."""
        self._lines.append(f"{' ' * self._indent}{text}\n")

    def settle(self) -> None:
        """All requirements are met: what the lines from here on raise is raised."""
        self._lines.append(self._tail)
        self._indent, self._tail = 4, ""

    def require(self, terms: Sequence[str], first: str = "", last: str = "") -> None:
        """All of these must be true, or else ``first`` (asked before) or ``last``."""
        every = " and ".join(terms)
        either = [part for part in (first, f"({every})" if every else "", last) if part]
        self.line(f"if not ({' or '.join(either)}): return None")

    def function(self, result: str) -> Callable[..., Any]:
        """The function, which gives the result of an expression."""
        self.line(f"return {result}")
        text = f"{self._head}{''.join(self._lines)}{self._tail}"
        exec(text, self._names)
        return self._names["function"]


def reading(place: str, *names: str) -> str:
    """Python that reads an attribute of an attribute .. of a local variable."""
    for name in names:
        plain = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
        place = f"{place}.{name}" if plain else f"getattr({place}, {name!r})"
    return place
