"""The cheapest set of values that separates what is known from what is wanted."""

from collections.abc import Callable, Collection, Iterable
from itertools import pairwise

from .expression import Expression, order

__all__ = ["cheapest_cut"]

INFINITE = float("inf")

# A value is two nodes of a network, entry and exit, with its cost as the capacity between them.
Node = tuple[int, bool] | str
Edges = dict[Node, dict[Node, float]]


def cheapest_cut(
    wanted: Iterable[Expression],
    free: Collection[Expression],
    cost: Callable[[Expression], float],
    opaque: Callable[[Expression], bool] = lambda value: False,
) -> list[Expression]:
    """The cheapest values from which, with what is free, all of ``wanted`` can be computed.

    Every way from a leaf that is not free to what is wanted must pass one of them: a minimum
    cut, found by maximum flow, and of several the one nearest to what is wanted.

    Arguments:
        wanted: What is to be computed.
        free: What needs not be kept.
        cost: What it costs to keep a value; infinite for one that cannot be kept.
        opaque: Whether a value must be kept rather than computed from what is kept.
    """
    wanted = list(wanted)
    values = order(wanted, free, opaque)
    number = {value: i for i, value in enumerate(values)}
    edges: Edges = {"source": {}, "sink": {}}
    for i, value in enumerate(values):
        _connect(edges, (i, False), (i, True), cost(value))
        if value.op == "leaf" or opaque(value):
            _connect(edges, "source", (i, False), INFINITE)
            continue
        for operand in value.computed_from:
            if operand in number:
                _connect(edges, (number[operand], True), (i, False), INFINITE)
    for value in wanted:
        if value in number:
            _connect(edges, (number[value], True), "sink", INFINITE)
    while path := _path(edges):
        _push(edges, path)
    reaching = _reaching(edges)
    return [
        v for i, v in enumerate(values) if (i, True) in reaching and (i, False) not in reaching
    ]


def _connect(edges: Edges, a: Node, b: Node, capacity: float) -> None:
    edges.setdefault(a, {})[b] = capacity
    edges.setdefault(b, {}).setdefault(a, 0.0)


def _path(edges: Edges) -> list[Node] | None:
    """A shortest way from source to sink on which more can flow, or None."""
    came_from: dict[Node, Node] = {"source": "source"}
    queue: list[Node] = ["source"]
    for node in queue:
        for following, capacity in edges[node].items():
            if capacity > 0 and following not in came_from:
                came_from[following] = node
                queue.append(following)
    if "sink" not in came_from:
        return None
    path: list[Node] = ["sink"]
    while path[-1] != "source":
        path.append(came_from[path[-1]])
    return path[::-1]


def _push(edges: Edges, path: list[Node]) -> None:
    """Let flow along a way what its narrowest place allows."""
    steps = list(pairwise(path))
    amount = min(edges[a][b] for a, b in steps)
    if amount == INFINITE:
        raise ValueError("nothing that may be kept separates what is known from what is wanted")
    for a, b in steps:
        edges[a][b] -= amount
        edges[b][a] += amount


def _reaching(edges: Edges) -> set[Node]:
    """The nodes from which more can flow to the sink."""
    found: set[Node] = {"sink"}
    queue: list[Node] = ["sink"]
    for node in queue:
        for before in edges[node]:
            if before not in found and edges[before][node] > 0:
                found.add(before)
                queue.append(before)
    return found
