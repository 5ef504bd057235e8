"""The values of what is the same at every step, at every call."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from .evaluation import evaluator
from .uniform import Uniform

__all__ = ["Parameters"]

Values = tuple[Tensor | float, ...]


class Parameters:
    """Evaluates the parameters of a trace for a node.

    What is computed from numbers alone (all of it, where ``are_numbers``) is computed again only
    where one of them is another object than at the last call; what is computed from tensors,
    always: autograd follows it.

    Arguments:
        uniforms: The parameters.
    """

    def __init__(self, uniforms: Sequence[Uniform]) -> None:
        self._uniforms = tuple(uniforms)
        leaves = [dict(uniform.attributes()) for uniform in self._uniforms]
        self._changing = tuple(
            i
            for i, uniform in enumerate(self._uniforms)
            if not all(map(_is_number, (uniform.value, *leaves[i].values())))
        )
        paths = {p for i, found in enumerate(leaves) if i not in self._changing for p in found}
        self.paths = tuple(sorted(paths))
        self._numbers = _reader(self.paths)
        self._changed = evaluator([self._uniforms[i] for i in self._changing])
        self.are_numbers = not self._changing
        # Both at once, for another thread may be doing the same.
        self.last: tuple[tuple[Any, ...] | None, Values] = (None, ())

    def __len__(self) -> int:
        return len(self._uniforms)

    def __call__(self, node: Any) -> Values:
        """Their values now."""
        return self.given(self._numbers(node), node)

    def given(self, numbers: tuple[Any, ...], node: Any) -> Values:
        """Their values now.

        Arguments:
            numbers: What is at ``paths`` of the node now.
            node: The node.
        """
        then, values = self.last
        if then is None or not all(map(operator.is_, numbers, then)):
            values = tuple(uniform.evaluate(node) for uniform in self._uniforms)
            kept = list(values)
            for i in self._changing:
                kept[i] = 0.0
            self.last = numbers, tuple(kept)
            return values
        if not self._changing:
            return values
        now = list(values)
        for i, value in zip(self._changing, self._changed(node), strict=True):
            now[i] = value
        return tuple(now)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _reader(paths: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads attributes as a tuple."""
    if len(paths) > 1:
        return operator.attrgetter(*paths)
    read = operator.attrgetter(*paths) if paths else None
    return lambda node: () if read is None else (read(node),)
