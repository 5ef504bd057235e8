"""A linear map that a state goes through before a step, as a call brings it."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .linear_map import LinearMap, MakeMap, make_map
from .recorder import Mapped

__all__ = ["Coupling", "bind", "modules", "why_not"]


@dataclass(frozen=True)
class Coupling:
    """A linear map in front of a step.

    Arguments:
        make: Makes it of its weight and bias.
        state: The number of the state that goes through it.
        weights: The numbers of weight and bias, if it has one, among the parameters.
    """

    make: MakeMap
    state: int
    weights: tuple[int, ...]

    def map(self, parameters: Sequence[Any]) -> LinearMap:
        """The map, with its weights."""
        weight, *bias = (parameters[i].detach() for i in self.weights)
        return self.make(weight, *(bias or (None,)))


def modules(maps: Sequence[Mapped], node: Any) -> list[Any]:
    """The modules that a node holds for the maps of its trace."""
    return [operator.attrgetter(path)(node) for path, _ in maps]


def bind(
    maps: Sequence[Mapped], names: Sequence[str], node: Any, first: int
) -> tuple[tuple[Coupling, ...], tuple[Tensor, ...]]:
    """The maps of a trace as a node has them now, and their weights.

    Arguments:
        maps: The maps.
        names: The names of the states.
        node: The node.
        first: The number of the first weight among the parameters.
    """
    couplings: list[Coupling] = []
    weights: list[Tensor] = []
    for module, (_, state) in zip(modules(maps, node), maps, strict=True):
        own = [module.weight] if module.bias is None else [module.weight, module.bias]
        start = first + len(weights)
        numbers = tuple(range(start, start + len(own)))
        couplings.append(Coupling(make_map(module), names.index(state), numbers))
        weights += own
    return tuple(couplings), tuple(weights)


def why_not(couplings: Sequence[Coupling], parameters: Sequence[Any], x_seq: Tensor) -> str | None:
    """Why a loop of single steps does not give what the node's own lines give, or None."""
    if couplings and torch.is_autocast_enabled(x_seq.device.type):
        return "autocast is on, under which a linear map is another"
    for coupling in couplings:
        weight = parameters[coupling.weights[0]]
        if weight.dtype != x_seq.dtype:
            return f"its linear map is {weight.dtype} but its states are {x_seq.dtype}"
        if not coupling.map(parameters).keeps(x_seq.shape[1:]):
            return (
                f"its linear map, of a weight {list(weight.shape)}, does not take states "
                f"{list(x_seq.shape[1:])} to states of that shape"
            )
    return None
