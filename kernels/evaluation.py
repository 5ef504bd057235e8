"""Values that are the same at every step, evaluated by Python that is written out."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from .uniform import Uniform, is_uniform
from .written import Written, reading

__all__ = ["evaluator"]


def evaluator(uniforms: Sequence[Uniform]) -> Callable[[Any], tuple[Any, ...]]:
    """The function of a node that gives the values for it now, a call that they share made once.

    Arguments:
        uniforms: The values.
    """
    writer = _Writer()
    places = [writer.place(uniform) for uniform in uniforms]
    return writer.text.function(f"({''.join(f'{place}, ' for place in places)})")


class _Writer:
    """Writes each call once."""

    def __init__(self) -> None:
        self.text = Written(("node",))
        self._values: dict[int, str] = {}
        self._calls: dict[str, str] = {}
        self._constants: dict[Hashable, str] = {}

    def place(self, value: Any) -> str:
        """An expression for a value or an argument."""
        if is_uniform(value):
            if id(value) not in self._values:
                self._values[id(value)] = self._result(value)
            return self._values[id(value)]
        if type(value) is tuple:
            return f"({''.join(f'{self.place(item)}, ' for item in value)})"
        if type(value) is list:
            return f"[{', '.join(map(self.place, value))}]"
        if type(value) is dict:
            items = value.items()
            return f"{{{', '.join(f'{self._constant(k)}: {self.place(v)}' for k, v in items)}}}"
        return self._constant(value)

    def _result(self, uniform: Uniform) -> str:
        """The local variable of a call; the same for one of the same function and arguments."""
        path, function, args, kwargs = uniform.made_by
        if path is not None:
            call = reading("node", *path.split("."))
        else:
            given = [self.place(arg) for arg in args]
            given += [f"**{self.place(kwargs)}"] if kwargs else []
            call = f"{self._constant(function)}({', '.join(given)})"
        if call not in self._calls:
            self._calls[call] = self.text.local(call)
        return self._calls[call]

    def _constant(self, value: Any) -> str:
        """A name for an object, the same for one that is its like in every way."""
        key = type(value), repr(value) if isinstance(value, float) else value
        try:
            hash(key)
        except TypeError:
            return self.text.bind(value)
        if key not in self._constants:
            self._constants[key] = self.text.bind(value)
        return self._constants[key]
