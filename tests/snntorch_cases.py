"""The registry of the snnTorch family: one row a neuron, with its step written out literally."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from spikeframe import neuron

__all__ = ["SNNTORCH", "DelayedCase"]


@dataclass(frozen=True)
class DelayedCase:
    """A neuron of the snnTorch family and its literal step on states by name.

    ``step(states, x, r, node)`` gives the new states; r is 1 where the last step fired.
    """

    name: str
    make: Callable[..., neuron.SpikingNeuron]
    step: Callable[[dict[str, Tensor], Tensor, Tensor, Any], dict[str, Tensor]]
    arguments: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **overrides: Any) -> neuron.SpikingNeuron:
        return self.make(**(self.arguments | overrides))

    def __str__(self) -> str:
        return self.name


def _reset(h: Tensor, r: Tensor, node: Any) -> Tensor:
    """A membrane after the delayed reset, which swallows the input."""
    kept = {"subtract": h - r * node.threshold, "zero": h * (1 - r), "none": h}
    return kept[node.reset_mechanism]


def _leaky(s: dict[str, Tensor], x: Tensor, r: Tensor, node: Any) -> dict[str, Tensor]:
    if node.reset_mechanism == "zero":
        return {"mem": node.beta * (1 - r) * s["mem"] + x}
    return {"mem": _reset(node.beta * s["mem"] + x, r, node)}


def _synaptic(s: dict[str, Tensor], x: Tensor, r: Tensor, node: Any) -> dict[str, Tensor]:
    syn = node.alpha * s["syn"] + x
    return {"syn": syn, "mem": _reset(node.beta * s["mem"] + syn, r, node)}


def _alpha(s: dict[str, Tensor], x: Tensor, r: Tensor, node: Any) -> dict[str, Tensor]:
    a, b = (torch.as_tensor(v, dtype=torch.float64) for v in (node.alpha, node.beta))
    exc, inh = a * s["syn_exc"] + x, b * s["syn_inh"] - x
    mem = b.log() / (b.log() - a.log()) * (exc + inh)
    if node.reset_mechanism == "subtract":
        exc, mem = exc - r * node.threshold, mem + r * s["syn_inh"]
    elif node.reset_mechanism == "zero":
        exc, mem = exc * (1 - r), mem * (1 - r)
    if node.reset_mechanism != "none":
        inh = inh * (1 - r)
    return {"syn_exc": exc, "syn_inh": inh, "mem": mem}


def _circuit(s: dict[str, Tensor], x: Tensor, r: Tensor, node: Any) -> dict[str, Tensor]:
    dt, rc = node.time_step, node.R * node.C
    h = x * dt / node.C + (1 - dt / rc) * s["mem"]
    return {"mem": _reset(h, r, node)}


def _scaled(s: dict[str, Tensor], x: Tensor, r: Tensor, node: Any) -> dict[str, Tensor]:
    h = node.R * (1 - node.beta) * x + node.beta * s["mem"]
    return {"mem": _reset(h, r, node)}


def _rleaky(s: dict[str, Tensor], x: Tensor, r: Tensor, node: Any) -> dict[str, Tensor]:
    h = node.beta * s["mem"] + x + node.V * s["spk"]
    return {"mem": _reset(h, r, node)}


def _rsynaptic(s: dict[str, Tensor], x: Tensor, r: Tensor, node: Any) -> dict[str, Tensor]:
    return _synaptic(s, x + node.V * s["spk"], r, node)


def _delayed(name: str, make: Any, step: Any, *resets: str, **arguments: Any) -> list[DelayedCase]:
    return [
        DelayedCase(f"{name}-{reset}", make, step, {"reset_mechanism": reset, **arguments})
        for reset in resets
    ]


ONE_TO_ONE = {"all_to_all": False, "V": -0.4}

# Elementwise, so that every backend runs them.
SNNTORCH = (
    *_delayed("Leaky", neuron.Leaky, _leaky, "subtract", "zero", "none", beta=0.7),
    DelayedCase("Leaky-clamp", neuron.Leaky, _leaky, {"beta": 0.7, "learn_beta": True}),
    DelayedCase("Leaky-sigmoid", neuron.Leaky, _leaky, {"beta": 0.7, "learn_beta": "sigmoid"}),
    DelayedCase("Leaky-exp", neuron.Leaky, _leaky, {"beta": 0.7, "learn_beta": "exp"}),
    *_delayed(
        *("Synaptic", neuron.Synaptic, _synaptic, "subtract", "zero", "none"), alpha=0.3, beta=0.6
    ),
    DelayedCase(
        *("Synaptic-learned", neuron.Synaptic, _synaptic),
        {"alpha": 0.3, "beta": 0.6, "learn_alpha": "exp", "learn_beta": "clamp"},
    ),
    *_delayed("Alpha", neuron.Alpha, _alpha, "subtract", "zero", "none", alpha=0.9, beta=0.6),
    *_delayed("Lapicque", neuron.Lapicque, _circuit, "subtract", "zero", "none", R=3.0, C=0.7),
    DelayedCase("Lapicque-beta", neuron.Lapicque, _scaled, {"beta": 0.7, "R": 2.0}),
    *_delayed(
        *("RLeaky", neuron.RLeaky, _rleaky, "subtract", "zero", "none"), beta=0.7, **ONE_TO_ONE
    ),
    *_delayed(
        *("RSynaptic", neuron.RSynaptic, _rsynaptic, "subtract", "zero", "none"),
        **{"alpha": 0.3, "beta": 0.6, **ONE_TO_ONE},
    ),
    DelayedCase("StateLeaky", neuron.StateLeaky, _leaky, {"beta": 0.7}),
)
