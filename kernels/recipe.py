"""Values that are the same at every step as recipes: plain tuples, followed where torch looks on.

torch.compile follows no recorded call, but it follows a recipe: it sees which attributes of the
node are read, and guards them, and it differentiates what is computed of them.
"""

import builtins
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from .uniform import Method, Read, Uniform, WithoutGrad, is_uniform

__all__ = ["Recipe", "follow", "paths", "read", "recipe"]

Recipe = tuple[Any, ...]

# Where a function is found by its name.
SPACES: dict[str, Any] = {
    "operator": operator,
    "torch": torch,
    "functional": torch.nn.functional,
    "special": torch.special,
    "Tensor": torch.Tensor,
    "builtins": builtins,
}


# Torch rounds them as Python does.
EXACT = ("add", "sub", "mul", "truediv", "neg", "pos", "abs")


def recipe(uniform: Uniform) -> Recipe | None:
    """The recipe of a value, or None where it has none.

    It is ``('read', path)``, ``('is', constant)``, ``('dtype', name)``, ``('list', ...)``,
    ``('tuple', ...)``, ``('method', name, no_grad, args, kwargs)`` or
    ``('call', space, name, no_grad, args, kwargs)``.
    """
    try:
        return _recipe(uniform)
    except LookupError:
        return None


def follow(made: Recipe, node: Any, changing: Sequence[str] = ()) -> Any:
    """The value of a recipe for a node.

    Arguments:
        made: The recipe.
        node: The node.
        changing: Paths of numbers to compute with as tensors, where that gives the same bits:
            torch.compile would make a constant of the number, and compile at every change.
    """
    if changing and _is_exact(made, changing):
        return _follow(made, node, changing)
    return _follow(made, node, ())


def _follow(made: Recipe, node: Any, changing: Sequence[str]) -> Any:
    kind = made[0]
    if kind == "read":
        value = read(node, made[1])
        # The one way from a number to a tensor of which torch.compile makes no constant.
        return torch.ones((), dtype=torch.float64) * value if made[1] in changing else value
    if kind == "is":
        return made[1]
    if kind == "dtype":
        return getattr(torch, made[1])
    if kind == "list":
        return [_follow(item, node, changing) for item in made[1:]]
    if kind == "tuple":
        return tuple([_follow(item, node, changing) for item in made[1:]])
    return _call(made, node, changing)


def _is_exact(made: Recipe, changing: Sequence[str]) -> bool:
    """Whether a recipe is plain arithmetic of numbers, some of which change."""
    if made[0] == "read":
        return made[1] in changing
    if made[0] == "is":
        return isinstance(made[1], float | int)
    if made[:2] == ("call", "operator") and made[2] in EXACT:
        return all(_is_exact(arg, changing) for arg in made[4])
    return False


def read(node: Any, path: str) -> Any:
    """The attribute at a dotted path; the node itself at ''."""
    for name in path.split(".") if path else ():
        node = getattr(node, name)
    return node


def paths(made: Recipe) -> Iterator[str]:
    """The paths that a recipe reads."""
    if made[:1] == ("read",):
        yield made[1]
    for part in made:
        if isinstance(part, tuple):
            yield from paths(part)


def _call(made: Recipe, node: Any, changing: Sequence[str]) -> Any:
    *_, no_grad, args, kwargs = made
    given = [_follow(arg, node, changing) for arg in args]
    named = {name: _follow(arg, node, changing) for name, arg in kwargs}
    if made[0] == "method":
        function = getattr(given.pop(0), made[1])
    else:
        function = getattr(SPACES[made[1]], made[2])
    if no_grad:
        with torch.no_grad():
            return function(*given, **named)
    return function(*given, **named)


def _recipe(value: Any) -> Recipe:
    if not is_uniform(value):
        return _constant(value)
    path, function, args, kwargs = value.made_by
    if path is not None:
        return ("read", path)
    no_grad = isinstance(function, WithoutGrad)
    if isinstance(function, WithoutGrad):
        function = function.function
    given = tuple(map(_recipe, args))
    named = tuple((name, _recipe(arg)) for name, arg in kwargs.items())
    if isinstance(function, Method):
        return ("method", function.name, no_grad, given, named)
    if isinstance(function, Read):
        return ("call", "builtins", "getattr", no_grad, (*given, ("is", function.path)), named)
    return ("call", *_found(function), no_grad, given, named)


def _constant(value: Any) -> Recipe:
    if value is None or type(value) in (bool, int, float, str):
        return ("is", value)
    if isinstance(value, torch.dtype):
        return ("dtype", str(value).removeprefix("torch."))
    if type(value) in (list, tuple):
        return (type(value).__name__, *map(_recipe, value))
    raise LookupError(f"no recipe has a {type(value).__name__}")


def _found(function: Any) -> tuple[str, str]:
    name = getattr(function, "__name__", "")
    for space, owner in SPACES.items():
        if getattr(owner, name, None) is function:
            return space, name
    raise LookupError(f"no recipe calls {name}")
