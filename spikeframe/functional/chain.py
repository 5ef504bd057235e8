"""Finds modules that are called one on the other's output, by following the code of a net."""

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import fx, nn

from .. import base

__all__ = ["Link", "links"]


class Link(NamedTuple):
    """A module that is called on the output of another.

    Arguments:
        before: Name of the module that is called first.
        after: Name of the one that takes its output.
        why_not: Why they cannot be taken for one operation, or None.
    """

    before: str
    after: str
    why_not: str | None


def links(net: nn.Module, prefix: str = "") -> Iterator[Link]:
    """The links in ``net``, as torch.fx finds them; where it cannot follow the code of a module,
    those inside each of its parts.

    Arguments:
        net: The net.
        prefix: Put before the names.
    """
    net = _with_code_of_one_step(net)
    _restart(net)
    try:
        graph = _Tracer().trace(net)
    except Exception:  # whatever code raises that meets a symbol
        parts = [name for name, _ in net.named_children()]
    else:
        yield from _links(graph, net, prefix)
        # What torch.fx takes for one operation has an inside of its own.
        parts = list(dict.fromkeys(str(n.target) for n in graph.nodes if n.op == "call_module"))
    finally:
        _restart(net)
    for name in parts:
        part = net.get_submodule(name)
        if any(part.children()):
            yield from links(part, f"{prefix}{name}.")


class _Tracer(fx.Tracer):
    """Follows the code of sequences, too, that torch.fx takes for one operation."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one operation."""
        return isinstance(m, base.StepModule) or super().is_leaf_module(m, module_qualified_name)


def _with_code_of_one_step(module: nn.Module) -> nn.Module:
    """A module of the same parts, whose code is that which the parts are called by."""
    kind: Any = getattr(module, "torchs", nn.Sequential if _is_sequence(module) else None)
    if kind is None or not isinstance(module, base.StepModule):
        return module
    # Not copy.copy, which asks the class how to do it.
    twin = nn.Module.__new__(kind)
    twin.__dict__ = copy.copy(module.__dict__)
    return twin


def _is_sequence(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential)


def _restart(net: nn.Module) -> None:
    """It is the first turn of modules that take turns."""
    for module in net.modules():
        if callable(restart := getattr(module, "restart_turns", None)):
            restart()


def _links(graph: fx.Graph, net: nn.Module, prefix: str) -> Iterator[Link]:
    modules = dict(net.named_modules(remove_duplicate=False))
    calls = [node for node in graph.nodes if node.op == "call_module"]
    times = Counter(id(modules[str(node.target)]) for node in calls)
    for node in calls:
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module":
            continue
        names = str(before.target), str(node.target)
        often = [name for name in names if times[id(modules[name])] > 1]
        why = None
        if often:
            why = f"{prefix}{often[0]} is called more than once"
        elif len(before.users) > 1:
            why = f"something else takes the output of {prefix}{names[0]}, too"
        yield Link(prefix + names[0], prefix + names[1], why)
