"""Runs what snnTorch has beside its elementwise neurons with a reset: LSTM cells, parallel layers.

``python tests/golden/snntorch_layers.py`` in an environment with snntorch 1.0.0 (``make parity``
builds one) records traces; the tests then need no peer.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeframe import neuron

__all__ = ["GOLDEN", "GOLDEN_SEEDS", "LAYERS", "Layer", "inputs", "our_trace", "peer_trace"]

GOLDEN = Path(__file__).with_suffix(".npz")
GOLDEN_SEEDS = (0, 1)

T, N, C = 14, 2, 4
GAINS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0, 8.0, 16.0)
RATES = (0.05, 0.6)

Numbers = Callable[[float, float], float]


@dataclass(frozen=True)
class Layer:
    """A class of both.

    Arguments:
        module: Where theirs is.
        kind: Its name, which ours has too.
        theirs: Its arguments, from drawn numbers; the same draws as of
        ours: Our arguments.
        states: How many states it is given and returns; 0 for one that takes a sequence, -1 for
            one that keeps its states.
        size: One step of its input.
        renamed: Names of parameters there and here, where they differ.
    """

    module: str
    kind: str
    theirs: Callable[[Numbers], dict[str, Any]]
    ours: Callable[[Numbers], dict[str, Any]]
    states: int = 0
    size: tuple[int, ...] = (N, C)
    state: tuple[int, ...] = (N, C)
    renamed: dict[str, str] = field(default_factory=dict)


def _slstm(reset: str) -> Layer:
    def given(draw: Numbers) -> dict[str, Any]:
        sizes = {"input_size": C, "hidden_size": C, "bias": draw(0, 1) > 0.5}
        return sizes | {"threshold": draw(0.05, 0.2), "reset_mechanism": reset}

    return Layer("slstm", "SLSTM", given, given, states=2)


def _sconv2dlstm(reset: str, **pooling: int) -> Layer:
    # A mean is lower than a maximum.
    scale = 0.4 if "avg_pool" in pooling else 1.0

    def common(draw: Numbers) -> dict[str, Any]:
        sizes = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "bias": draw(0, 1) > 0.5}
        return sizes | {"threshold": scale * draw(0.03, 0.1), "reset_mechanism": reset} | pooling

    return Layer(
        *("sconv2dlstm", "SConv2dLSTM", common, common, 2),
        *((N, 2, 4, 4), (N, 3, 4, 4)),
    )


def _decays(draw: Numbers) -> tuple[Tensor, float, float]:
    beta = torch.tensor([draw(0.3, 0.9) for _ in range(C)])
    return beta, draw(0.7, 1.3), draw(0.5, 1.5)


def _their_decays(draw: Numbers) -> dict[str, Any]:
    beta, threshold, factor = _decays(draw)
    return {"beta": beta, "threshold": threshold, "graded_spikes_factor": factor}


def _our_decays(draw: Numbers) -> dict[str, Any]:
    """Theirs decay by exp(-(1 - beta)), and multiply by the factor twice."""
    beta, threshold, factor = _decays(draw)
    decay = torch.exp(-(1 - beta))
    return {"beta": decay, "threshold": threshold, "graded_spikes_factor": factor**2}


def _delta(draw: Numbers) -> dict[str, Any]:
    return {"beta": draw(0.3, 0.9), "delta_threshold": draw(0.3, 0.8)}


def _parallel(draw: Numbers) -> dict[str, Any]:
    sizes = {"input_size": C, "hidden_size": C, "bias": draw(0, 1) > 0.5}
    return sizes | {"beta": draw(0.3, 0.9), "threshold": draw(0.5, 1.0)}


LAYERS: dict[str, Layer] = {f"SLSTM-{r}": _slstm(r) for r in ("subtract", "zero", "none")}
LAYERS |= {f"SConv2dLSTM-{r}": _sconv2dlstm(r) for r in ("subtract", "zero", "none")}
LAYERS |= {
    "SConv2dLSTM-max": _sconv2dlstm("subtract", max_pool=2),
    "SConv2dLSTM-avg": _sconv2dlstm("zero", avg_pool=2),
    "StateLeaky": Layer(
        *("stateleaky", "StateLeaky", lambda draw: {"channels": C} | _their_decays(draw)),
        _our_decays,
    ),
    "LinearLeaky": Layer(
        *("linearleaky", "LinearLeaky"),
        lambda draw: {"in_features": C, "out_features": C} | _their_decays(draw),
        lambda draw: {"in_features": C, "out_features": C} | _our_decays(draw),
    ),
    "LeakyParallel": Layer(
        *("leakyparallel", "LeakyParallel", _parallel),
        lambda draw: _parallel(draw) | {"rectify": True},
        renamed={"rnn.weight_ih_l0": "linear.weight", "rnn.bias_ih_l0": "linear.bias"},
    ),
    "DeltaLeaky": Layer(
        *("deltaleaky", "DeltaLeaky", lambda draw: {"init_hidden": True} | _delta(draw), _delta),
        states=-1,
    ),
}


def _numbers(seed: int) -> Numbers:
    generator = torch.Generator().manual_seed(1000 + seed)
    return lambda low, high: low + (high - low) * torch.rand((), generator=generator).item()


def inputs(layer: Layer, seed: int, gain: float) -> Tensor:
    """The input [T, N, *]."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(T, *layer.size, generator=generator) - 0.3) * gain


def _loss(outputs: list[Tensor], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed + 1)
    weighted = [(o * torch.rand(o.shape, generator=generator)).sum() for o in outputs]
    return torch.stack(weighted).sum()


def peer_trace(name: str, seed: int) -> dict[str, Tensor]:
    """What snnTorch computes, at the first gain that gives rates of 5 to 60 %."""
    for gain in GAINS:
        trace = _peer_trace(LAYERS[name], seed, gain)
        if RATES[0] <= (trace["spikes"] != 0).float().mean() <= RATES[1]:
            return trace | {"gain": torch.tensor(gain)}
    raise RuntimeError(f"{name}, seed {seed}: no gain gives the rates")


def _peer_trace(layer: Layer, seed: int, gain: float) -> dict[str, Tensor]:
    kind = getattr(importlib.import_module(f"snntorch._neurons.{layer.module}"), layer.kind)
    torch.manual_seed(seed)
    node = kind(**layer.theirs(_numbers(seed)))
    x_seq = inputs(layer, seed, gain).requires_grad_()
    outputs = _run_theirs(layer, node, x_seq)
    _loss(outputs, seed).backward()
    trace = {"spikes": outputs[0].detach(), "grad": x_seq.grad}
    trace |= {"mem_seq": outputs[1].detach()} if len(outputs) > 1 else {}
    return trace | _their_parameters(layer, node)


def _run_theirs(layer: Layer, node: Any, x_seq: Tensor) -> list[Tensor]:
    """Spikes, and membranes where it tells them."""
    if layer.states == 0:
        found = node(x_seq)
        return list(found) if isinstance(found, tuple) else [found]
    states = [torch.zeros(layer.state)] * max(layer.states, 0)
    spikes, membranes = [], []
    for x in x_seq.unbind(0):
        spike, *states = node(x, *states) if states else node(x)
        states = states if layer.states > 0 else []
        spikes.append(spike)
        membranes += states[-1:]
    return [torch.stack(seq) for seq in (spikes, membranes) if seq]


def _their_parameters(layer: Layer, node: nn.Module) -> dict[str, Tensor]:
    """Weights, and their gradients, by our names."""
    known = {
        n: p for n, p in node.named_parameters() if p.requires_grad and "weight_hh_l0" not in n
    }
    found = {}
    for name, p in known.items():
        if name == "rnn.bias_hh_l0":
            continue
        ours, value = layer.renamed.get(name, name), p.detach()
        if name == "rnn.bias_ih_l0":
            value = value + known["rnn.bias_hh_l0"].detach()
        found[f"weight/{ours}"] = value
        if p.grad is not None:
            found[f"grad/{ours}"] = p.grad
    if "rnn.weight_ih_l0" not in known and "lstm_cell.weight_hh" in dict(node.named_parameters()):
        hidden = dict(node.named_parameters())["lstm_cell.weight_hh"]
        found["weight/lstm_cell.weight_hh"] = hidden.detach()
    return found


def our_trace(
    name: str, seed: int, theirs: dict[str, Tensor], backend: str = "auto"
) -> dict[str, Tensor]:
    """What ours computes with the peer's weights and input."""
    layer = LAYERS[name]
    node = getattr(neuron, layer.kind)(
        **layer.ours(_numbers(seed)), step_mode="m", store_v_seq=True, backend=backend
    )
    weights = {k.removeprefix("weight/"): v for k, v in theirs.items() if k.startswith("weight/")}
    missing, unexpected = node.load_state_dict(weights, strict=False)
    if unexpected or set(missing) & {key for key, _ in node.named_parameters()}:
        raise ValueError(f"{name}: {missing} are not told, {unexpected} not known")
    x_seq = inputs(layer, seed, theirs["gain"].item()).requires_grad_()
    spikes = node(x_seq)
    outputs = [spikes, node.mem_seq] if "mem_seq" in theirs else [spikes]
    _loss(outputs, seed).backward()
    trace = {"spikes": spikes.detach(), "mem_seq": node.mem_seq.detach(), "grad": x_seq.grad}
    return trace | {f"grad/{k}": p.grad for k, p in node.named_parameters() if p.grad is not None}


def record() -> dict[str, np.ndarray]:
    """All golden traces as arrays."""
    return {
        f"{name}/{seed}/{key}": value.numpy()
        for name in LAYERS
        for seed in GOLDEN_SEEDS
        for key, value in peer_trace(name, seed).items()
    }


if __name__ == "__main__":
    np.savez_compressed(GOLDEN, **record())
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes")
