"""Reads a graph of NIR as a net."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import neuron
from .nir_nodes import check_dt, load_nir

__all__ = ["NIRNet", "from_nir"]

_DT = 1e-4


class NIRNet(nn.Module):
    """The nodes of a graph, run in their order; what leads to one node is added up.

    Arguments:
        layers: The layers by name.
        before: The names that lead to each layer and to 'output'; 'input' is the input.
    """

    def __init__(self, layers: dict[str, nn.Module], before: dict[str, list[str]]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.before = before

    def forward(self, x: Tensor) -> Tensor:
        """One step, or a sequence where the neurons have step_mode 'm'."""
        values: dict[str, Any] = {"input": x}
        for name, layer in self.layers.items():
            values[name] = layer(self._sum(values, name))
        return self._sum(values, "output")

    def _sum(self, values: dict[str, Any], name: str) -> Tensor:
        first, *others = (values[source] for source in self.before[name])
        for other in others:
            first = first + other
        spikes: Tensor = first
        return spikes


def from_nir(
    graph: Any, *, dt: float = _DT, make: Callable[..., nn.Module] | None = None
) -> NIRNet:
    """A graph of NIR as a net, which takes one step at a time and keeps its states.

    A neuron is reset as its metadata say, if it was written by spikeframe; otherwise its potential
    is set to 0 in the step of the spike.

    Arguments:
        graph: A ``nir.NIRGraph``, or the name of a file of one.
        dt: Length of a step in seconds, where the metadata name none.
        make: Makes a neuron, ``make(kind, **arguments)`` with the name of a class of
            :mod:`spikeframe.neuron`; by default that class.
    Raises:
        ImportError: The package nir is not installed.
        ValueError: The graph has what spikeframe cannot run; the text names it.
    """
    nir = load_nir()
    check_dt(dt)
    graph = graph if isinstance(graph, nir.NIRGraph) else nir.read(graph)
    nodes, edges = _gathered(nir, graph)
    read = _Reader(nir, dt, make or (lambda kind, **given: getattr(neuron, kind)(**given)))
    ends = {name for name, node in nodes.items() if isinstance(node, nir.Input | nir.Output)}
    _check_ends(nir, nodes)
    names = _names(nir, nodes)
    before: dict[str, list[str]] = {}
    for source, target in edges:
        before.setdefault(names[target], []).append(names[source])
    ordered = _ordered([n for n in nodes if n not in ends], edges, ends)
    return NIRNet({names[n]: read.layer(n, nodes[n]) for n in ordered}, before)


class _Reader:
    """Makes a layer of each node."""

    def __init__(self, nir: Any, dt: float, make: Callable[..., nn.Module]) -> None:
        self.nir, self.dt, self.make = nir, dt, make

    def layer(self, name: str, node: Any) -> nn.Module:
        """The layer of a node."""
        nir = self.nir
        if isinstance(node, nir.Linear | nir.Affine):
            return _linear(node)
        if isinstance(node, nir.Conv1d | nir.Conv2d):
            return _conv(nir, node)
        if isinstance(node, nir.AvgPool2d):
            return nn.AvgPool2d(_size(node.kernel_size), _size(node.stride), _size(node.padding))
        if isinstance(node, nir.Flatten):
            first, last = (d + 1 if d >= 0 else d for d in (node.start_dim, node.end_dim))
            return nn.Flatten(first, last)
        if isinstance(node, nir.NIRGraph):
            return self._recurrent(name, node)
        return self._neuron(name, node)

    def _neuron(self, name: str, node: Any, **feedback: Any) -> nn.Module:
        nir, said = self.nir, {k: _plain(v) for k, v in (node.metadata or {}).items()}
        dt = float(said.get("dt", self.dt))
        prefix = "R" if feedback else ""
        if isinstance(node, nir.IF):
            kind, decays = "Leaky", {"beta": 1.0}
            gain = np.where(node.r == 1, 1.0, node.r * dt)
        elif isinstance(node, nir.LIF):
            kind, decays = "Leaky", {"beta": _value(1 - dt / node.tau)}
            gain = node.r * dt / node.tau
        elif isinstance(node, nir.CubaLIF):
            alpha, beta = 1 - dt / node.tau_syn, 1 - dt / node.tau_mem
            kind, decays = "Synaptic", {"alpha": _value(alpha), "beta": _value(beta)}
            gain = node.w_in * dt / node.tau_syn * node.r * dt / node.tau_mem
        else:
            raise ValueError(
                f"spikeframe has no layer for the node {name} ({type(node).__name__})"
            )
        _check(name, node)
        return self.make(
            prefix + kind,
            **decays,
            threshold=_value(node.v_threshold / gain),
            reset_mechanism=said.get("reset_mechanism", "zero"),
            reset_delay=bool(said.get("reset_delay", False)),
            **feedback,
        )

    def _recurrent(self, name: str, graph: Any) -> nn.Module:
        nir, inner = self.nir, list(graph.nodes.values())
        neurons = [n for n in inner if isinstance(n, nir.LIF | nir.CubaLIF | nir.IF)]
        maps = [n for n in inner if isinstance(n, nir.Linear | nir.Affine | nir.Conv2d)]
        if len(neurons) != 1 or len(maps) != 1:
            raise ValueError(
                "spikeframe reads a graph in a graph as a recurrent neuron: one neuron, one map"
                f" of its spikes; {name} has {', '.join(graph.nodes)}"
            )
        weights: Any = self.layer("w_rec", maps[0])
        if isinstance(weights, nn.Linear):
            feedback = {"linear_features": weights.out_features}
        else:
            feedback = {
                "conv2d_channels": weights.out_channels,
                "kernel_size": weights.kernel_size,
            }
        made: Any = self._neuron(name, neurons[0], **feedback)
        made.recurrent = weights
        return made


def _gathered(nir: Any, graph: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Nodes and edges, with a neuron and the map of its spikes back to it as one node."""
    nodes, edges = dict(graph.nodes), [tuple(edge) for edge in graph.edges]
    for source, target in list(edges):
        neuron_first = isinstance(nodes.get(source), nir.LIF | nir.CubaLIF | nir.IF)
        if not neuron_first or (target, source) not in edges or target not in nodes:
            continue
        size = nodes[source].input_type["input"]
        loop = {"input": nir.Input({"input": size}), "lif": nodes[source], "w_rec": nodes[target]}
        loop["output"] = nir.Output({"output": size})
        inner = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
        _check_loop(source, target, edges)
        nodes[source] = nir.NIRGraph(loop, inner)
        del nodes[target]
        edges = [edge for edge in edges if target not in edge]
    return nodes, edges


def _ordered(names: list[str], edges: list[tuple[str, str]], done: set[str]) -> list[str]:
    """The nodes such that each comes after those that lead to it."""
    ordered: list[str] = []
    done = set(done)
    while len(ordered) < len(names):
        ready = [n for n in names if n not in done and all(s in done for s, t in edges if t == n)]
        if not ready:
            left = [n for n in names if n not in done]
            raise ValueError(
                f"the graph has a cycle through {', '.join(left)}, which is no neuron's own"
            )
        ordered += ready
        done |= set(ready)
    return ordered


def _check_loop(source: str, target: str, edges: list[tuple[str, str]]) -> None:
    """Raise where the map of a neuron's spikes back to it has to do with other nodes, too."""
    others = [edge for edge in edges if target in edge and source not in edge]
    if others:
        raise ValueError(
            f"spikeframe reads {target} as the feedback of {source} alone, and there are the "
            f"edges {', '.join(' > '.join(edge) for edge in others)}, too"
        )


def _check_ends(nir: Any, nodes: dict[str, Any]) -> None:
    for kind in (nir.Input, nir.Output):
        found = [name for name, node in nodes.items() if isinstance(node, kind)]
        if len(found) != 1:
            raise ValueError(
                f"spikeframe runs a graph of one {kind.__name__}, got {', '.join(found) or 'none'}"
            )


def _names(nir: Any, nodes: dict[str, Any]) -> dict[str, str]:
    """Names that an nn.ModuleDict takes."""
    names: dict[str, str] = {}
    for name, node in nodes.items():
        if isinstance(node, nir.Input | nir.Output):
            names[name] = type(node).__name__.lower()
            continue
        names[name] = f"node_{name}".replace(".", "_")
        while list(names.values()).count(names[name]) > 1:
            names[name] += "_"
    return names


def _linear(node: Any) -> nn.Linear:
    bias = getattr(node, "bias", None)
    layer = nn.Linear(node.weight.shape[1], node.weight.shape[0], bias is not None)
    return _filled(layer, node.weight, bias)


def _conv(nir: Any, node: Any) -> Any:
    two = isinstance(node, nir.Conv2d)
    outputs, inputs, *kernel = node.weight.shape
    sizes = {n: _size(getattr(node, n)) for n in ("stride", "padding", "dilation")}
    kind = nn.Conv2d if two else nn.Conv1d
    layer = kind(inputs * node.groups, outputs, tuple(kernel), groups=node.groups, **sizes)
    return _filled(layer, node.weight, node.bias)


def _filled(layer: Any, weight: Any, bias: Any) -> Any:
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
        if bias is not None:
            layer.bias.copy_(torch.as_tensor(bias))
    return layer


def _check(name: str, node: Any) -> None:
    for key in ("v_leak", "v_reset"):
        value = getattr(node, key, None)
        if value is not None and np.any(value != 0):
            raise ValueError(f"the node {name} has {key} other than 0, which no neuron here has")


def _size(size: Any) -> Any:
    if isinstance(size, str | int):
        return size
    values = tuple(int(n) for n in np.ravel(size))
    return values if len(values) > 1 else values[0]


def _value(values: Any) -> Any:
    """One number where all are equal, else a tensor."""
    values = np.asarray(values)
    if (values == values.flat[0]).all():
        return float(values.flat[0])
    return torch.as_tensor(values, dtype=torch.get_default_dtype())


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode() if isinstance(value, bytes) else value
