"""Runs snnTorch's neurons on drawn arguments and inputs, and records golden traces of them.

``python tests/golden/snntorch_family.py`` in an environment with snntorch 1.0.0 (``make parity``
builds one) writes the traces; the tests then need no peer.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeframe import surrogate

__all__ = ["GOLDEN", "GOLDEN_SEEDS", "KINDS", "arguments", "inputs", "peer_trace", "record"]

GOLDEN = Path(__file__).parent / "snntorch_family.npz"
GOLDEN_SEEDS = (0, 1)

T, N, C = 14, 2, 4
GAINS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0, 0.1, 8.0)
RATES = (0.05, 0.6)

# Their factories, with an argument, and our classes.
SPIKES: dict[str, tuple[dict[str, Any], Any]] = {
    "fast_sigmoid": ({"slope": 10}, lambda: surrogate.FastSigmoid(10, strict=True)),
    "sigmoid": ({"slope": 5}, lambda: surrogate.Sigmoid(5, strict=True)),
    "atan": ({"alpha": 3.0}, lambda: surrogate.ATan(3.0, strict=True)),
    "straight_through_estimator": (
        {},
        lambda: surrogate.StraightThroughEstimator(strict=True),
    ),
}

# name: class, number of states, and arguments that are not drawn.
KINDS: dict[str, tuple[str, int, dict[str, Any]]] = {
    f"{kind}-{reset}": (kind, states, {"reset_mechanism": reset})
    for kind, states in (("Leaky", 1), ("Synaptic", 2), ("Alpha", 3), ("Lapicque", 1))
    for reset in ("subtract", "zero", "none")
}
KINDS |= {
    f"{kind}-{feedback}-{reset}": (kind, states, {"reset_mechanism": reset, "feedback": feedback})
    for kind, states in (("RLeaky", 2), ("RSynaptic", 3))
    for feedback in ("one", "linear", "conv")
    for reset in ("subtract", "zero", "none")
}
KINDS |= {
    f"{kind}-zero-same": (kind, states, {"reset_mechanism": "zero", "reset_delay": False})
    for kind, states in (("Leaky", 1), ("Synaptic", 2))
}
KINDS["Leaky-subtract-same"] = (
    *("Leaky", 1),
    {"reset_mechanism": "subtract", "reset_delay": False},
)
KINDS["Leaky-graded"] = ("Leaky", 1, {"graded_spikes_factor": 1.7})
KINDS["Leaky-graded-learned"] = (
    *("Leaky", 1),
    {"graded_spikes_factor": 0.6, "learn_graded_spikes_factor": True},
)
KINDS["Leaky-quantised"] = ("Leaky", 1, {"state_quant": True})
KINDS["Synaptic-quantised"] = ("Synaptic", 2, {"state_quant": True})
KINDS["Alpha-quantised"] = ("Alpha", 3, {"state_quant": True})
KINDS["Lapicque-quantised"] = ("Lapicque", 1, {"state_quant": True})
KINDS["RLeaky-one-quantised"] = ("RLeaky", 2, {"state_quant": True, "feedback": "one"})
KINDS["RSynaptic-one-quantised"] = ("RSynaptic", 3, {"state_quant": True, "feedback": "one"})
KINDS |= {
    f"RLeaky-{feedback}-{reset}-same": (
        *("RLeaky", 2),
        {"reset_mechanism": reset, "reset_delay": False, "feedback": feedback},
    )
    for feedback in ("one", "linear", "conv")
    for reset in ("subtract", "zero")
}
# With a reset, theirs resets the neurons that were suppressed, too.
KINDS |= {
    f"{kind}-none-inhibited": (kind, states, {"reset_mechanism": "none", "inhibition": True})
    for kind, states in (("Leaky", 1), ("Synaptic", 2), ("Alpha", 3), ("Lapicque", 1))
}
KINDS |= {
    f"{kind}-{spike}": (kind, states, {"spike": spike})
    for kind, states in (("Leaky", 1), ("Synaptic", 2))
    for spike in SPIKES
}


def quantise(state: Tensor) -> Tensor:
    """Round to sixteenths, with a straight-through gradient."""
    return state + ((state * 16.0).round() / 16.0 - state).detach()


def arguments(name: str, seed: int) -> dict[str, Any]:
    """Constructor arguments of both frameworks; odd seeds learn, and have a value per neuron."""
    kind, _, given = KINDS[name]
    given = dict(given)
    generator = torch.Generator().manual_seed(1000 + seed)
    many = seed % 2 == 1
    shape = (C, 1, 1) if given.get("feedback") == "conv" else (C,)

    def draw(low: float, high: float) -> Any:
        values = torch.rand(shape if many else (), generator=generator) * (high - low) + low
        return values if many else values.item()

    drawn: dict[str, Any] = {"threshold": draw(0.7, 1.3), "learn_threshold": many}
    if kind == "Lapicque":
        drawn |= {"R": 5.0, "C": 0.25 * (seed + 1), "time_step": 0.5}
    else:
        drawn |= {"beta": draw(0.4, 0.7), "learn_beta": many}
    if kind in ("Synaptic", "RSynaptic", "Alpha"):
        drawn["alpha"] = draw(0.2, 0.4) if kind == "RSynaptic" else draw(0.75, 0.95)
        # snnTorch's Alpha cannot learn its alpha.
        drawn |= {"learn_alpha": many} if kind != "Alpha" else {}
    feedback = given.pop("feedback", None)
    if feedback == "one":
        drawn |= {"V": draw(-0.5, 0.5), "all_to_all": False, "learn_recurrent": many}
    elif feedback == "linear":
        drawn["linear_features"] = C
    elif feedback == "conv":
        drawn |= {"conv2d_channels": C, "kernel_size": 3}
    if given.pop("state_quant", False):
        given["state_quant"] = quantise
    return drawn | given


def inputs(name: str, seed: int, gain: float) -> tuple[Tensor, list[Tensor]]:
    """The input [T, N, *] and the weights of the loss on spikes and membranes."""
    generator = torch.Generator().manual_seed(seed)
    size = (N, C, 2, 3) if "-conv-" in name else (N, C)
    x_seq = (torch.rand(T, *size, generator=generator) - 0.3) * gain
    return x_seq, [torch.rand(T, *size, generator=generator) for _ in range(2)]


def peer_trace(name: str, seed: int) -> dict[str, Tensor]:
    """What snnTorch computes, at the first gain that gives rates of 5 to 60 %.

    Where it resets in the same step, a potential above the threshold after it is left out: there
    snnTorch subtracts twice.
    """
    same = KINDS[name][2].get("reset_delay") is False
    threshold = arguments(name, seed)["threshold"]
    for gain in GAINS:
        trace = _run(name, seed, gain)
        fired = (trace["spikes"] != 0).float().mean().item()
        above = same and bool((trace["mem_seq"] > threshold).any())
        if RATES[0] <= fired <= RATES[1] and not above:
            return trace | {"gain": torch.tensor(gain)}
    raise RuntimeError(f"{name}: no gain gives the rates")


def _run(name: str, seed: int, gain: float) -> dict[str, Tensor]:
    import snntorch

    kind, n_states, _ = KINDS[name]
    torch.manual_seed(seed)
    given = {
        key: value.clone() if isinstance(value, Tensor) else value
        for key, value in arguments(name, seed).items()
    }
    if "spike" in given:
        factory = given.pop("spike")
        given["spike_grad"] = getattr(snntorch.surrogate, factory)(**SPIKES[factory][0])
    node = getattr(snntorch, kind)(**given)
    x_seq, weights = inputs(name, seed, gain)
    x_seq.requires_grad_()
    states = [torch.zeros_like(x_seq[0])] * n_states
    spikes, membranes = [], []
    for x in x_seq.unbind(0):
        spike, *states = node(x, *states)
        if kind.startswith("R"):
            states = [spike, *states]
        spikes.append(spike)
        membranes.append(states[-1])
    outputs = [torch.stack(spikes), torch.stack(membranes)]
    sum((o * w).sum() for o, w in zip(outputs, weights, strict=True)).backward()
    trace = {"spikes": outputs[0].detach(), "mem_seq": outputs[1].detach(), "grad": x_seq.grad}
    return trace | _parameters(node)


def _parameters(node: nn.Module) -> dict[str, Tensor]:
    """Weights of the feedback, and gradients of what learns."""
    learned = {
        name: p for name, p in node.named_parameters() if p.requires_grad and name != "recurrent.V"
    }
    weights = {f"weight/{k}": p.detach() for k, p in learned.items() if k.startswith("recurrent")}
    return weights | {f"grad/{k}": p.grad for k, p in learned.items() if p.grad is not None}


def record() -> dict[str, np.ndarray]:
    """All golden traces as arrays; spikes as bytes."""
    arrays = {}
    for name in KINDS:
        for seed in GOLDEN_SEEDS:
            for key, value in peer_trace(name, seed).items():
                kind = np.float32 if key != "spikes" or "graded" in name else np.uint8
                arrays[f"{name}/{seed}/{key}"] = value.numpy().astype(kind)
    return arrays


if __name__ == "__main__":
    np.savez_compressed(GOLDEN, **record())
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes")
