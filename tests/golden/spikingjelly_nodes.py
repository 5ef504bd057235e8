"""The SpikingJelly family: one runner for the peer's classes and ours, with random arguments.

Names and arguments are the same in both, so that ``trace(theirs, ...)`` and ``trace(ours, ...)``
differ in the package alone. ``python tests/golden/spikingjelly_nodes.py`` in an environment with
spikingjelly 2.0.0 (``make parity`` builds one) records traces of it; tests then need no peer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikeframe import kernels

__all__ = ["CASES", "GOLDEN", "Draw", "PeerCase", "inputs", "make", "peer", "run", "trace"]

GOLDEN = Path(__file__).with_suffix(".npz")

T = 12

# Tried in turn, until a neuron fires at a rate between 5 and 60 %.
SCALES = (1.0, 2.0, 0.5, 4.0, 0.25, 8.0, 0.12, 16.0)
RATES = (0.05, 0.6)


class Draw:
    """Random arguments, the same from the same seed."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def number(self, low: float, high: float) -> float:
        """A number."""
        drawn = torch.rand((), generator=self.generator, dtype=torch.float64).item()
        return low + (high - low) * drawn

    def one_of(self, *values: Any) -> Any:
        """One of some values."""
        return values[int(self.number(0, len(values)))]

    def tensor(self, *size: int) -> Tensor:
        """Numbers from 0 to 1."""
        return torch.rand(size, generator=self.generator)


@dataclass(frozen=True)
class PeerCase:
    """A class of both packages.

    Arguments:
        kind: Its name.
        arguments: Draws its arguments.
        drive: The range of inputs.
        size: One step of its input.
        states: Its states, compared after the last step.
        surrogate: Draws the name and arguments of a surrogate of both packages, or None for no
            such argument.
        name: What tests call it.
        output: Makes one tensor of its output.
        prepare: Called with the node before it runs.
        step_by_step: Whether it is to be called a step at a time.
        spikes: Whether its output is spikes.
    """

    kind: str
    arguments: Callable[[Draw], dict[str, Any]]
    drive: tuple[float, float] = (-0.1, 1.0)
    size: tuple[int, ...] = (16,)
    states: tuple[str, ...] = ("v",)
    surrogate: Callable[[Draw], tuple[str, dict[str, Any]]] | None = lambda draw: (
        draw.one_of("Sigmoid", "ATan", "PiecewiseQuadratic", "SoftSign"),
        {"alpha": draw.number(0.8, 3.0)},
    )
    name: str = ""
    output: Callable[[Any], Tensor] = lambda output: output
    prepare: Callable[[Any, Draw], None] = lambda node, draw: None
    step_by_step: bool = False
    spikes: bool = True

    def __str__(self) -> str:
        return self.name or self.kind


def trace(
    package: Any, case: PeerCase, seed: int, backend: str | None = None
) -> dict[str, Tensor]:
    """Outputs, states, and gradients of input and parameters, as a package computes them.

    Arguments:
        package: A module with ``neuron`` and ``surrogate``.
        case: The neuron.
        seed: Of the arguments, parameters and inputs.
        backend: Ours, set where it can serve.
    """
    for scale in SCALES:
        found = _trace(package, case, seed, scale, backend)
        rate = (found["output"] != 0).double().mean()
        if not case.spikes or RATES[0] <= rate <= RATES[1]:
            return found
    raise ValueError(f"{case}, seed {seed}: no input makes it fire at a rate within {RATES}")


def _trace(
    package: Any, case: PeerCase, seed: int, scale: float, backend: str | None
) -> dict[str, Tensor]:
    draw = Draw(seed)
    node = make(package, case, draw)
    if backend is not None and kernels.why_not(node, backend) is None:
        node.backend = backend
    x_seq = inputs(case, draw, scale).requires_grad_()
    if hasattr(node, "store_v_seq"):
        node.store_v_seq = True
    output = run(node, case, x_seq)
    states = {name: getattr(node, name) for name in case.states}
    loss = (output * draw.tensor(*output.shape)).sum()
    loss = loss + sum((state * draw.tensor(*state.shape)).sum() for state in states.values())
    loss.backward()
    found = {"output": output.detach(), "grad": x_seq.grad}
    if isinstance(v_seq := getattr(node, "v_seq", None), Tensor):
        found["v_seq"] = v_seq.detach()
    found |= {name: state.detach() for name, state in states.items()}
    found |= {f"grad of {name}": p.grad for name, p in node.named_parameters()}
    found |= {f"{name} after": b.detach() for name, b in node.named_buffers()}
    return {name: value for name, value in found.items() if value is not None}


def inputs(case: PeerCase, draw: Draw, scale: float = 1.0) -> Tensor:
    """A random sequence, [T, *]."""
    low, high = case.drive
    return (draw.tensor(T, *case.size) * (high - low) + low) * scale


def make(package: Any, case: PeerCase, draw: Draw) -> Any:
    """A node of a package, with random arguments and parameters."""
    arguments = case.arguments(draw)
    if case.surrogate is not None:
        kind, options = case.surrogate(draw)
        arguments["surrogate_function"] = getattr(package.surrogate, kind)(**options)
    node = getattr(package.neuron, case.kind)(**arguments)
    for _, parameter in sorted(node.named_parameters()):
        values = draw.tensor(parameter.numel()).reshape(parameter.shape)
        parameter.data.add_(0.4 * values - 0.2)
    case.prepare(node, draw)
    if not case.step_by_step and hasattr(node, "step_mode"):
        node.step_mode = "m"
    return node


def run(node: Any, case: PeerCase, x_seq: Tensor) -> Tensor:
    """Its outputs, [T, *]."""
    if not case.step_by_step:
        return case.output(node(x_seq))
    return torch.stack([case.output(node(x)) for x in x_seq.unbind(0)])


def common(draw: Draw, low: float = -0.5) -> dict[str, Any]:
    """The arguments of every node."""
    return {
        "v_threshold": draw.number(0.5, 1.5),
        "v_reset": draw.one_of(0.0, None, draw.number(low, 0.0)),
        "detach_reset": draw.one_of(False, True),
    }


def leaky(draw: Draw) -> dict[str, Any]:
    """Those of a leaky membrane."""
    return {"tau": draw.number(1.1, 5.0), "decay_input": draw.one_of(True, False)}


def quadratic(draw: Draw) -> dict[str, Any]:
    return {
        "tau": draw.number(1.5, 5.0),
        "v_c": draw.number(0.3, 1.0),
        "a0": draw.number(0.3, 1.5),
        "v_rest": draw.number(0.0, 0.2),
    } | common(draw, -0.3)


def exponential(draw: Draw) -> dict[str, Any]:
    return {
        "tau": draw.number(1.5, 5.0),
        "delta_T": draw.number(0.4, 1.2),
        "theta_rh": draw.number(0.5, 1.2),
        "v_rest": draw.number(0.0, 0.2),
        "v_threshold": draw.number(0.8, 1.5),
        "v_reset": draw.one_of(0.0, draw.number(-0.3, 0.0)),
        "detach_reset": draw.one_of(False, True),
    }


def izhikevich(draw: Draw) -> dict[str, Any]:
    return quadratic(draw) | {
        "w_rest": draw.number(-0.2, 0.2),
        "tau_w": draw.number(1.5, 9.0),
        "a": draw.number(-0.3, 0.5),
        "b": draw.number(-0.1, 0.5),
    }


def cuba(draw: Draw) -> dict[str, Any]:
    decays = {"c_decay": draw.number(0.1, 0.9), "v_decay": draw.number(0.1, 0.9)}
    given = common(draw)
    return decays | {name: given[name] for name in ("v_threshold", "v_reset")}


def ternary(draw: Draw) -> dict[str, Any]:
    return common(draw, -0.4)


def rectangle(draw: Draw) -> tuple[str, dict[str, Any]]:
    return "Rect", {"alpha": draw.number(0.4, 1.2)}


def counts(draw: Draw) -> tuple[str, dict[str, Any]]:
    return "MultiLevelSpikeCount", {"max_spike_count": draw.one_of(2, 4, 6)}


def gated(draw: Draw) -> dict[str, Any]:
    return {
        "T": T,
        "init_linear_decay": draw.one_of(None, draw.number(0.01, 0.2)),
        "init_v_subreset": draw.one_of(None, draw.number(0.2, 0.8)),
        "init_tau": draw.number(0.1, 0.9),
        "init_v_threshold": draw.number(0.3, 0.8),
        "init_conduct": draw.number(0.2, 0.8),
    }


def seeded_gates(node: Any, draw: Draw) -> None:
    """Its first values are random, by other generators."""
    for name in ("alpha", "beta", "gamma"):
        gate = getattr(node, name)
        gate.data.copy_(draw.tensor(gate.numel()).reshape(gate.shape) - 0.5)


def seeded_weight(node: Any, draw: Draw) -> None:
    """Its first values are random."""
    node.weight.data.copy_((draw.tensor(*node.weight.shape) - 0.3) * 1.5)


def masked(draw: Draw) -> dict[str, Any]:
    return {"T": T, "k": draw.one_of(1, 3, T), "lambda_init": draw.one_of(0.0, 0.4, 1.0)}


def sliding(draw: Draw) -> dict[str, Any]:
    return {"k": draw.one_of(1, 2, 5, 20)}


def represented(draw: Draw) -> dict[str, Any]:
    return {
        "T": T,
        "v_threshold": draw.number(0.6, 1.4),
        "alpha": draw.number(0.3, 1.0),
        "v_threshold_training": draw.one_of(True, False),
        "v_threshold_grad_scaling": draw.number(0.5, 2.0),
        "v_threshold_lower_bound": draw.one_of(0.3, 0.59),
    }


def represented_leaky(draw: Draw) -> dict[str, Any]:
    return represented(draw) | {"tau": draw.number(0.5, 3.0), "delta_t": draw.number(0.05, 0.5)}


def normalized(draw: Draw) -> dict[str, Any]:
    given = leaky(draw) | common(draw) | {"mpbn": draw.one_of(True, True, False)}
    given |= {
        "v_threshold": draw.number(0.3, 0.9),
        "learnable_vth": draw.one_of(True, False),
    }
    return given | {
        "bn_momentum": draw.number(0.05, 0.3),
        "bn_decay_momentum": draw.number(0.7, 1.0),
        "bn_min_momentum": draw.number(0.01, 0.1),
    }


def fold(node: Any, draw: Draw) -> None:
    """Train a few steps, then fold the normalisation into the threshold."""
    node.step_mode, kept = "m", node.step_mode
    node(draw.tensor(3, 8, 16))
    node.reset()
    node.step_mode = kept
    node.re_parameterize_v_threshold(draw.one_of(True, False), draw.one_of(True, False))
    node.train(draw.one_of(True, False))


def of(*parts: Callable[[Draw], dict[str, Any]]) -> Callable[[Draw], dict[str, Any]]:
    """Several groups of arguments."""
    return lambda draw: {name: value for part in parts for name, value in part(draw).items()}


def with_(**given: Any) -> Callable[[Draw], dict[str, Any]]:
    """Fixed arguments."""
    return lambda draw: given


DECODES = (None, "max-mem", "max-abs-mem", "mean-mem", "last_mem")


def stacked(output: Any) -> Tensor:
    """Their potentials are a list."""
    return torch.stack(output) if isinstance(output, list) else output


CASES: Sequence[PeerCase] = (
    PeerCase("IFNode", common),
    PeerCase("LIFNode", of(leaky, common)),
    PeerCase(
        "ParametricLIFNode",
        of(
            lambda draw: {"init_tau": draw.number(1.5, 4.0)},
            lambda draw: {"decay_input": draw.one_of(True, False)},
            common,
        ),
    ),
    PeerCase("QIFNode", quadratic),
    PeerCase("EIFNode", exponential),
    PeerCase("IzhikevichNode", izhikevich, states=("v", "w")),
    PeerCase(
        "KLIFNode",
        of(leaky, common, lambda draw: {"scale_reset": draw.one_of(True, False)}),
    ),
    PeerCase("CUBALIFNode", cuba, states=("v", "c")),
    PeerCase(
        "LIAFNode",
        of(
            with_(act=torch.tanh),
            leaky,
            common,
            lambda draw: {"threshold_related": draw.one_of(True, False)},
        ),
        spikes=False,
        step_by_step=True,  # theirs forgets the activation in a sequence
    ),
    PeerCase(
        "ILIFNode",
        of(
            lambda draw: {"tau": draw.number(1.1, 4.0)},
            lambda draw: {"v_threshold": draw.number(0.5, 1.5)},
            lambda draw: {"detach_reset": draw.one_of(True, False)},
        ),
        surrogate=counts,
    ),
    PeerCase("GatedLIFNode", gated, size=(2, 2, 2, 2), prepare=seeded_gates),
    PeerCase(
        "GatedLIFNode",
        of(gated, with_(inplane=2)),
        size=(2, 2, 2, 2),
        prepare=seeded_gates,
        name="GatedLIFNode-per-channel",
    ),
    PeerCase(
        "ComplementaryLIFNode",
        lambda draw: {"tau": draw.number(1.2, 4.0), "v_threshold": draw.number(0.5, 1.5)},
        states=("v", "m"),
        surrogate=rectangle,
    ),
    PeerCase("TernaryIFNode", ternary, drive=(-0.8, 1.0)),
    PeerCase("TernaryLIFNode", of(leaky, ternary), drive=(-0.8, 1.0)),
    PeerCase(
        "RAFNode",
        of(
            lambda draw: {"b": draw.number(-0.5, -0.05), "omega": draw.number(0.3, 1.5)},
            lambda draw: {"dt": draw.number(0.5, 1.2)},
            common,
        ),
        states=("v", "u"),
    ),
    PeerCase("PSN", with_(T=T), states=(), prepare=seeded_weight),
    PeerCase("MaskedPSN", masked, states=(), prepare=seeded_weight),
    PeerCase("SlidingPSN", sliding, states=()),
    PeerCase(
        "SlidingPSN",
        of(sliding, with_(exp_init=False)),
        states=(),
        prepare=seeded_weight,
        name="SlidingPSN-random",
    ),
    PeerCase("SimpleIFNode", of(common, with_(v_reset=0.0))),
    PeerCase("SimpleLIFNode", of(leaky, common, with_(v_reset=0.0))),
    *(
        PeerCase(
            kind,
            of(arguments, with_(decode=decode)),
            drive=(-1.0, 0.9),
            surrogate=None,
            output=stacked,
            spikes=False,
            name=f"{kind}-{decode}",
        )
        for kind, arguments in (
            ("NonSpikingIFNode", with_()),
            ("NonSpikingLIFNode", lambda draw: {"tau": draw.number(1.2, 5.0)}),
        )
        for decode in DECODES
    ),
    PeerCase("DSRIFNode", represented, states=(), surrogate=None),
    PeerCase("DSRLIFNode", represented_leaky, states=(), surrogate=None),
    PeerCase("MPBNLIFNode", of(normalized, with_(out_features=16)), size=(8, 16)),
    PeerCase(
        "MPBNLIFNode",
        of(normalized, with_(out_channels=3)),
        size=(4, 3, 2, 2),
        name="MPBNLIFNode-images",
    ),
    PeerCase(
        "MPBNLIFNode",
        of(normalized, with_(out_features=16, mpbn=True)),
        size=(8, 16),
        prepare=fold,
        name="MPBNLIFNode-folded",
    ),
    PeerCase(
        "OTTTLIFNode",
        of(leaky, common),
        states=("v", "trace"),
        output=lambda output: output[0] if isinstance(output, list) else output,
        step_by_step=True,
    ),
    PeerCase("SLTTLIFNode", of(leaky, common), step_by_step=True),
)


def peer() -> SimpleNamespace:
    """The peer's package, as far as it is needed."""
    from spikingjelly.activation_based import neuron, surrogate

    return SimpleNamespace(neuron=neuron, surrogate=surrogate)


def main() -> None:
    """Write the golden traces."""
    theirs = peer()
    arrays = {}
    for case in CASES:
        for key, value in trace(theirs, case, seed=0).items():
            whole = value.is_floating_point() and torch.equal(value, value.round())
            whole = whole and value.abs().max() < 100
            arrays[f"{case}/{key}"] = (value.to(torch.int8) if whole else value).numpy()
    np.savez_compressed(GOLDEN, **arrays)
    print(f"{GOLDEN}: {len(arrays)} arrays, {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
