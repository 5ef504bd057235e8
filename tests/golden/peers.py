"""Runs the peers' neurons on the inputs that the golden traces record.

``python tests/golden/peers.py`` in an environment with spikingjelly 2.0.0 and snntorch 1.0.0
(``make parity`` builds one) writes the traces; tests then need neither.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["GOLDEN", "SNNTORCH", "SPIKINGJELLY", "inputs", "peer_trace", "trace_names"]

GOLDEN = Path(__file__).parent / "peers.npz"

T, N = 12, 16

# name: (class of both frameworks, arguments of both)
SPIKINGJELLY: dict[str, tuple[str, dict[str, Any]]] = {
    f"{name}|v_reset={v_reset}|detach={detach}": (
        kind,
        arguments | {"v_reset": v_reset, "detach_reset": detach},
    )
    for name, kind, arguments in (
        ("IF", "IFNode", {}),
        ("LIF", "LIFNode", {"tau": 2.7}),
        ("LIF-tau2", "LIFNode", {"tau": 2.0, "v_threshold": 0.75}),
        ("LIF-input-not-decayed", "LIFNode", {"tau": 2.7, "decay_input": False}),
        ("PLIF", "ParametricLIFNode", {"init_tau": 2.7}),
        ("PLIF-input-not-decayed", "ParametricLIFNode", {"init_tau": 2.7, "decay_input": False}),
    )
    for v_reset in (0.0, -0.3, None)
    for detach in (False, True)
}

# snnTorch's Leaky with the reset in the same step is the soft-reset IF or LIF, firing above the
# threshold only; beta = 1 - 1/tau, exact at these values. name: (beta, our class, our arguments)
SNNTORCH: dict[str, tuple[float, str, dict[str, Any]]] = {
    "Leaky-beta1": (1.0, "IFNode", {}),
    "Leaky-beta0.5": (0.5, "LIFNode", {"tau": 2.0, "decay_input": False}),
    "Leaky-beta0.5-learned": (0.5, "ParametricLIFNode", {"init_tau": 2.0, "decay_input": False}),
    "Leaky-beta0.75": (0.75, "LIFNode", {"tau": 4.0, "decay_input": False}),
}


def inputs(family: str) -> tuple[Tensor, Tensor]:
    """The input [T, N] and the weights of the loss; below the threshold per step for snnTorch."""
    generator = torch.Generator().manual_seed(2026)
    x_seq = torch.rand(T, N, generator=generator)
    x_seq = x_seq * 3.0 - 0.3 if family == "spikingjelly" else x_seq * 0.9
    return x_seq, torch.rand(T, N, generator=generator)


def trace_names() -> list[tuple[str, str]]:
    """(family, name) of every trace."""
    names = [("spikingjelly", name) for name in SPIKINGJELLY]
    return names + [("snntorch", name) for name in SNNTORCH]


def peer_trace(family: str, name: str) -> dict[str, Tensor]:
    """Spikes, V after the reset, and the input's gradient, computed by the peer."""
    x_seq, weights = inputs(family)
    x_seq.requires_grad_()
    run = _spikingjelly if family == "spikingjelly" else _snntorch
    spikes, v_seq, extra = run(name, x_seq)
    (spikes * weights).sum().backward()
    trace = {"spikes": spikes.detach(), "v_seq": v_seq.detach(), "grad": x_seq.grad}
    return trace | {key: parameter.grad for key, parameter in extra.items()}


def _spikingjelly(name: str, x_seq: Tensor) -> tuple[Tensor, Tensor, dict[str, Any]]:
    from spikingjelly.activation_based import neuron, surrogate

    kind, arguments = SPIKINGJELLY[name]
    node = getattr(neuron, kind)(
        **arguments, surrogate_function=surrogate.ATan(), step_mode="m", store_v_seq=True
    )
    spikes = node(x_seq)
    return spikes, node.v_seq, dict(node.named_parameters())


def _snntorch(name: str, x_seq: Tensor) -> tuple[Tensor, Tensor, dict[str, Any]]:
    import snntorch

    node = snntorch.Leaky(beta=SNNTORCH[name][0], reset_delay=False)
    mem = torch.zeros_like(x_seq[0])
    spikes, voltages = [], []
    for x in x_seq.unbind(0):
        spike, mem = node(x, mem)
        spikes.append(spike)
        voltages.append(mem)
    return torch.stack(spikes), torch.stack(voltages), {}


def main() -> None:
    """Write the golden traces."""
    arrays = {
        f"{family}/{name}/{key}": value.numpy()
        for family, name in trace_names()
        for key, value in peer_trace(family, name).items()
    }
    np.savez_compressed(GOLDEN, **arrays)
    print(f"{GOLDEN}: {len(arrays)} arrays")


if __name__ == "__main__":
    main()
