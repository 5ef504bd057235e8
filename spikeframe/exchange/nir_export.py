"""Writes a net as a graph of NIR."""

import copy
import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from .. import base, layer
from .nir_nodes import check_dt, load_nir, written

__all__ = ["to_nir"]

_ADDITIONS = (operator.add, operator.iadd, torch.add)
_SKIPPED = (
    *(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.AlphaDropout, nn.FeatureAlphaDropout, layer.Dropout),
)


def to_nir(net: nn.Module, sample: Tensor, *, dt: float = 1e-4) -> Any:
    """A net as a graph of NIR, which snnTorch, Norse, Sinabs and the tools of chips read.

    Arguments:
        net: A net of Linear, Conv1d, Conv2d, AvgPool2d, Flatten, Leaky, Synaptic, RLeaky and
            RSynaptic, of additions, and of dropout, which is left out; its forward is one step.
            The net is left as it is.
        sample: One step of input, [N, *], by which sizes are found.
        dt: Length of a step in seconds, by which decays become time constants.
    Returns:
        A ``nir.NIRGraph``, for ``nir.write``.
    Raises:
        ImportError: The package nir is not installed.
        TypeError: The net is no module, or the sample no tensor.
        ValueError: The net does something that NIR cannot say; the text names it.
    Warns:
        UserWarning: A reset is kept in the metadata only, as NIR has no other place for it.
    References:
        | Neuromorphic Intermediate Representation: A Unified Instruction Set for Interoperable
          Brain-Inspired Computing (Pedersen et al., 2024)
        | https://doi.org/10.1038/s41467-024-52259-9
    """
    nir = load_nir()
    _check_arguments(net, sample)
    check_dt(dt)
    root = copy.deepcopy(net) if _splits(net) else nn.Sequential(copy.deepcopy(net))
    graph = _Tracer().trace(root)
    _check_calls(root, graph)
    shapes = _shapes(root, graph, sample)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    sources: dict[fx.Node, list[str]] = {}
    for node in graph.nodes:
        if node.op == "placeholder":
            nodes["input"] = nir.Input(input_type={"input": _size(sample.shape)})
            sources[node] = ["input"]
            continue
        if node.op == "output":
            last = _first(node.args[0])
            nodes["output"] = nir.Output(output_type={"output": _size(shapes[last])})
            edges += [(source, "output") for source in _of(last, sources)]
            continue
        sources[node] = _sources(root, node, sources)
        if not sources[node]:
            name = str(node.target).replace(".", "_")
            name = name if name not in (*nodes, "output") else f"{name}_{node.name}"
            module, given = root.get_submodule(str(node.target)), node.all_input_nodes[0]
            nodes[name] = written(module, str(node.target), shapes[given][1:], dt)
            edges += [(source, name) for source in _of(given, sources)]
            sources[node] = [name]
    return nir.NIRGraph(nodes, edges)


class _Tracer(fx.Tracer):
    """Looks into containers, not into torch's layers or ours."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one operation."""
        return isinstance(m, base.StepModule) or super().is_leaf_module(m, module_qualified_name)


class _Shapes(fx.Interpreter):
    """Runs the net and notes the shape of what each operation gives."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one operation."""
        result = super().run_node(n)
        spikes = next(iter(result), None) if isinstance(result, tuple) else result
        if isinstance(spikes, Tensor):
            self.shapes[n] = spikes.shape
        return result


def _shapes(root: nn.Module, graph: fx.Graph, sample: Tensor) -> dict[fx.Node, Any]:
    for module in root.modules():
        if isinstance(module, base.MemoryModule):
            module.reset()
    interpreter = _Shapes(fx.GraphModule(root, graph))
    with torch.no_grad():
        interpreter.run(sample)
    return interpreter.shapes


def _sources(root: nn.Module, node: fx.Node, sources: dict[fx.Node, list[str]]) -> list[str]:
    """The nodes whose sum an operation gives; none for a layer, which becomes a node."""
    if node.op == "call_module":
        skipped = isinstance(root.get_submodule(str(node.target)), _SKIPPED)
        return _of(node.args[0], sources) if skipped else []
    if node.target is operator.getitem and node.args[1] == 0:
        return _of(node.args[0], sources)
    if node.target is operator.getitem:
        return ["state"]  # of a neuron, which may be returned but not be used
    plain = not node.kwargs and all(isinstance(a, fx.Node) for a in node.args)
    if node.target in _ADDITIONS and plain:
        summed = [name for argument in node.args for name in _of(argument, sources)]
        if len(set(summed)) == len(summed):
            return summed
    raise ValueError(
        f"NIR has no node for {node.target}, which {node.name} is: use layers, and additions of "
        "different ones"
    )


def _of(argument: Any, sources: dict[fx.Node, list[str]]) -> list[str]:
    if sources[argument] == ["state"]:
        raise ValueError("NIR passes spikes from node to node, and the net uses a neuron's state")
    return sources[argument]


def _first(output: Any) -> fx.Node:
    """What a net returns, alone or before its states."""
    first = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(first, fx.Node):
        raise ValueError(
            f"NIR has one output: the net must return its spikes, alone or first in a tuple, got "
            f"{type(first).__name__}"
        )
    return first


def _check_arguments(net: Any, sample: Any) -> None:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {type(net).__name__}")
    if not isinstance(sample, Tensor):
        raise TypeError(
            f"sample must be a tensor, one step of input [N, *], got {type(sample).__name__}"
        )


def _check_calls(root: nn.Module, graph: fx.Graph) -> None:
    """Raise where a neuron is called twice: the nodes of both calls would have two states."""
    called: set[nn.Module] = set()
    for node in graph.find_nodes(op="call_module"):
        module = root.get_submodule(str(node.target))
        if module in called and isinstance(module, base.MemoryModule):
            raise ValueError(
                f"NIR has one call of a neuron in a step, and {node.target} is called more than "
                "once: give each call a neuron of its own"
            )
        called.add(module)


def _splits(net: nn.Module) -> bool:
    """Whether a net has parts, rather than being one layer."""
    return not _Tracer().is_leaf_module(net, "")


def _size(shape: Sequence[int]) -> Any:
    import numpy as np

    return np.array(shape[1:])
