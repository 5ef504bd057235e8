"""Puts neurons in the place of a model's activations."""

import copy
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from .per_call import PerCall, restart_calls

__all__ = ["replace_activations"]

Kinds = type[nn.Module] | tuple[type[nn.Module], ...]

# The functions that do what a module does, which no replacement of modules reaches.
_FUNCTIONS: dict[type[nn.Module], tuple[Any, ...]] = {
    nn.ReLU: (F.relu, F.relu_, torch.relu, torch.relu_, "relu", "relu_"),
    nn.ReLU6: (F.relu6,),
    nn.GELU: (F.gelu,),
    nn.SiLU: (F.silu,),
    nn.Hardswish: (F.hardswish,),
    nn.Sigmoid: (F.sigmoid, torch.sigmoid, "sigmoid"),
    nn.Tanh: (F.tanh, torch.tanh, "tanh"),
}


def replace_activations(
    net: nn.Module,
    kinds: Kinds,
    make: Callable[[], nn.Module],
    *,
    uses: Mapping[str, int] | None = None,
) -> nn.Module:
    """Put a new module, usually a neuron, in the place of every activation in ``net``.

    The net's own code stays as it is. Where it calls one activation several times in a forward,
    there will be as many neurons, in a :class:`PerCall`, since each place needs a state of its
    own; torch.fx follows the code to count. A module registered in two places becomes two.

    Arguments:
        net: The net, changed in place.
        kinds: The class of the activations, or several in a tuple.
        make: Makes one replacement, without arguments: ``neuron.LIFNode``, ``lambda: ...``.
        uses: How often an activation is called, by name, where torch.fx cannot follow the code.

    Returns:
        The net; or, where it is an activation itself, the replacement.

    Raises:
        TypeError: ``net`` is not an nn.Module, ``kinds`` no class of modules, ``make`` no
            function.
        ValueError: There is no such activation, or ``uses`` names something else.
    Warns:
        UserWarning: The code calls the activation as a function, which stays.

    Example:
        >>> from spikeframe import neuron
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> replace_activations(net, nn.ReLU, lambda: neuron.LIFNode(tau=2.0))[1].tau
        2.0
    """
    kinds = _check(net, kinds, make)
    if isinstance(net, kinds):
        return make()
    places = _places(net, kinds)
    _check_found(net, kinds, places, uses or {})
    counts, unsure = _Counter(kinds).count(net)
    for name, (owner, key) in places.items():
        known = (uses or {}).get(name, counts.get(name, None if name in unsure else 1))
        if known == 1:
            owner._modules[key] = make()
        else:
            owner._modules[key] = PerCall(make, known or 1, unsure.get(name))
    if any(isinstance(module, PerCall) for module in net.modules()):
        net.register_forward_pre_hook(restart_calls)
    return net


class _Tracer(fx.Tracer):
    """Follows the code of all modules but torch's and the activations."""

    def __init__(self, kinds: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self._kinds = kinds

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one operation."""
        return isinstance(m, self._kinds) or super().is_leaf_module(m, module_qualified_name)


class _Counter:
    """Counts the calls of activations in one forward, by following the code."""

    def __init__(self, kinds: tuple[type[nn.Module], ...]) -> None:
        self._kinds = kinds

    def count(self, net: nn.Module, prefix: str = "") -> tuple[dict[str, int], dict[str, str]]:
        """Calls by name of the activation, and why the others' are not known.

        Where the code of a module cannot be followed, each module in it is taken to be called
        once, and is followed by itself.
        """
        try:
            graph = _Tracer(self._kinds).trace(net)
        except Exception as error:  # whatever code raises that meets a symbol
            reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            return self._count_children(net, prefix, reason)
        self._warn_of_functions(graph, net)
        calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
        return {prefix + name: number for name, number in calls.items()}, {}

    def _count_children(
        self, net: nn.Module, prefix: str, reason: str
    ) -> tuple[dict[str, int], dict[str, str]]:
        counts: dict[str, int] = {}
        unsure: dict[str, str] = {}
        for name, child in net.named_children():
            if isinstance(child, self._kinds):
                unsure[prefix + name] = reason
            else:
                known, unknown = self.count(child, f"{prefix}{name}.")
                counts |= known
                unsure |= unknown
        return counts, unsure

    def _warn_of_functions(self, graph: fx.Graph, net: nn.Module) -> None:
        names = {
            _name(target)
            for kind, functions in _FUNCTIONS.items()
            if issubclass(kind, self._kinds)
            for target in functions
        }
        calls = (node for node in graph.nodes if node.op in ("call_function", "call_method"))
        called = sorted({_name(node.target) for node in calls} & names)
        if called:
            warnings.warn(
                f"the code of {type(net).__name__} calls {', '.join(called)}, which stays as it "
                "is: only modules are replaced. Write it as a module (self.relu = nn.ReLU())",
                stacklevel=4,
            )


def _places(
    net: nn.Module, kinds: tuple[type[nn.Module], ...]
) -> dict[str, tuple[nn.Module, str]]:
    """Where activations are registered, by name; one that is at two places becomes two."""
    places: dict[str, tuple[nn.Module, str]] = {}
    seen: set[int] = set()
    for path, owner in net.named_modules():
        for key, module in owner._modules.items():
            if isinstance(module, kinds):
                places[f"{path}.{key}" if path else key] = owner, key
                owner._modules[key] = copy.copy(module) if id(module) in seen else module
                seen.add(id(module))
    return places


def _check(net: nn.Module, kinds: Kinds, make: Any) -> tuple[type[nn.Module], ...]:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
    listed = kinds if isinstance(kinds, tuple) else (kinds,)
    if not all(isinstance(kind, type) and issubclass(kind, nn.Module) for kind in listed):
        raise TypeError(f"kinds must be a class of modules, or a tuple of them, got {kinds!r}")
    if not callable(make) or isinstance(make, nn.Module):
        raise TypeError(
            "make must make a new module at every call, such as neuron.LIFNode or "
            f"lambda: neuron.LIFNode(tau=2.0), got {type(make).__name__}"
        )
    return listed


def _check_found(
    net: nn.Module,
    kinds: tuple[type[nn.Module], ...],
    places: Mapping[str, Any],
    uses: Mapping[str, int],
) -> None:
    named = " or ".join(kind.__name__ for kind in kinds)
    if not places:
        raise ValueError(
            f"{type(net).__name__} has no module of class {named}: a function (F.relu) cannot be "
            "replaced; write it as a module"
        )
    for name, number in uses.items():
        if name not in places:
            raise ValueError(
                f"uses names {name!r}, where there is no {named}; there are {list(places)}"
            )
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"uses[{name!r}] must be an int of at least 1, got {number!r}")


def _name(target: Any) -> str:
    """A function by its name, such as torch.nn.functional.relu; a method by its own."""
    if isinstance(target, str):
        return f"Tensor.{target}"
    return f"{getattr(target, '__module__', None) or 'torch'}.{getattr(target, '__name__', '')}"
