"""What docs/conformance.md states, row by row; tests/kernels/test_conformance.py checks each row.

``python tests/conformance.py`` writes the page.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from cases import (
    EVERY_NEURON,
    LAYOUTS,
    NEURONS,
    SNNTORCH,
    SURROGATES,
    TOLERANCE,
    NeuronCase,
    sequence,
)
from engines import ENGINES
from snntorch_cases import DelayedCase
from torch import Tensor

from spikeframe import neuron, rnn, surrogate

__all__ = ["PAGE", "ROWS", "Row", "page"]

PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"

TEXT = """\
# Conformance

What every backend is held to, row by row. The tests run each row on each backend and compare it
with the neuron's own lines: the spikes with those of `backend='eager'`, bit by bit; the gradients
of input, first state and parameters with float64 autograd of the same lines, replaying the same
spike train (one spike flipped by rounding would make a comparison meaningless). A bound is
relative to the largest value. A neuron with an exponential in it is as exact as that function,
so its spikes agree where the membrane is not within rounding of the threshold. Where no device is
at hand, Triton kernels run in its interpreter and CUDA kernels as C++ on the CPU; both are
compiled for sm_80, sm_90 and sm_100 as well.

This page is written by `python tests/conformance.py`.
"""


@dataclass(frozen=True)
class Row:
    """One case.

    Arguments:
        table: The table it is in.
        cells: What the row is called there.
        make: Makes the node of a backend.
        inputs: Makes its inputs.
        dtype: The dtype of the inputs.
        exact: Whether its spikes are made of single roundings only.
    """

    table: str
    cells: tuple[str, ...]
    make: Callable[..., Any]
    inputs: Callable[[], Sequence[Tensor]]
    dtype: torch.dtype = torch.float32
    exact: bool = True

    def __str__(self) -> str:
        return "-".join(self.cells)


def _neurons() -> Iterator[Row]:
    """The first neurons with every reset, the others with one."""
    for case in EVERY_NEURON:
        for options in case.options if case in NEURONS else case.options[:1]:

            def make(
                backend: str, case: NeuronCase = case, options: dict[str, Any] = options
            ) -> Any:
                common = {"surrogate_function": surrogate.ATan(), "step_mode": "m"}
                node = case(**case.known(**common) | options | case.arguments)
                node.backend = backend
                return node

            def inputs(case: NeuronCase = case) -> Sequence[Tensor]:
                return case.sequences((3, 17))

            yield Row(
                "Neurons", (case.name, *_reset(case, options)), make, inputs, exact=case.exact
            )


def _delayed() -> Iterator[Row]:
    """The neurons that are reset in the next step."""
    for case in SNNTORCH:

        def make(backend: str, case: DelayedCase = case) -> Any:
            return case(step_mode="m", backend=backend)

        yield _delayed_row(case.name, make)


def _delayed_row(name: str, make: Callable[..., Any]) -> Row:
    node = make("auto")
    reset = node.reset_mechanism if node.reset_delay else f"{node.reset_mechanism}, at once"
    return Row("Delayed resets", (name, reset), make, lambda: [1.5 * sequence((3, 17))])


def _eighths(state: Tensor) -> Tensor:
    """A quantiser that lets gradients through."""
    return state + ((state * 8.0).round() / 8.0 - state).detach()


# What other tests compare with equations, in ways of their own.
MORE_DELAYED: dict[str, Callable[..., Any]] = {
    "Leaky-same-step": lambda **k: neuron.Leaky(0.7, reset_delay=False, **k),
    "Synaptic-same-step": lambda **k: neuron.Synaptic(
        0.3, 0.6, reset_mechanism="zero", reset_delay=False, **k
    ),
    "Leaky-graded": lambda **k: neuron.Leaky(
        0.7, graded_spikes_factor=1.7, learn_graded_spikes_factor=True, **k
    ),
    "Leaky-learned-threshold": lambda **k: neuron.Leaky(
        0.7, threshold=torch.linspace(0.7, 1.3, 17), learn_threshold=True, **k
    ),
    "Leaky-quantised": lambda **k: neuron.Leaky(0.7, state_quant=_eighths, **k),
    "DeltaLeaky": lambda **k: neuron.DeltaLeaky(0.7, 0.4, **k),
    "LinearLeaky": lambda **k: neuron.LinearLeaky(0.7, 17, 17, threshold=0.2, **k),
    "LeakyParallel-rectified": lambda **k: neuron.LeakyParallel(
        17, 17, 0.7, rectify=True, threshold=0.2, **k
    ),
}

MORE: dict[str, Callable[..., Any]] = {
    "NonSpikingLIF": neuron.NonSpikingLIFNode,
    "NonSpikingLIF-max-abs": lambda **k: neuron.NonSpikingLIFNode(2.7, "max-abs-mem", **k),
    "NonSpikingLIF-mean": lambda **k: neuron.NonSpikingLIFNode(2.7, "mean-mem", **k),
    "DSRIF": lambda **k: neuron.DSRIFNode(7, 1.0, **k),
    "DSRLIF": lambda **k: neuron.DSRLIFNode(7, 0.1, 1.0, **k),
    "MPBNLIF-without": lambda **k: neuron.MPBNLIFNode(out_features=17, mpbn=False, **k),
    "RecurrentLIF-one-to-one": lambda **k: rnn.RecurrentLIFNode(-0.4, v_reset=None, **k),
}


def _more() -> Iterator[Row]:
    """The neurons that are not in the registry."""
    for name, kind in MORE_DELAYED.items():
        yield _delayed_row(name, _seeded(kind))
    for name, kind in MORE.items():
        make = _seeded(kind)
        v_reset = make("auto").v_reset
        reset = "soft" if v_reset is None else f"to {v_reset:g}"
        if name.startswith("NonSpiking"):
            reset = "never"
        detached = "yes" if make("auto").detach_reset else "no"
        yield Row("Neurons", (name, reset, detached), make, lambda: [1.5 * sequence((3, 17))])


def _seeded(kind: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the node of a backend with the same weights each time."""

    def make(backend: str) -> Any:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            return kind(step_mode="m", backend=backend)

    return make


def _reset(case: NeuronCase, options: dict[str, Any]) -> tuple[str, str]:
    """What the row says of the reset."""
    if not case.takes("v_reset"):
        reset = "its own" if case.spikes else "never"
        return reset, "yes" if options.get("detach_reset") else "no"
    v_reset = options.get("v_reset", 0.0)
    reset = "soft" if v_reset is None else f"to {v_reset:g}"
    return reset, "yes" if options.get("detach_reset") else "no"


def _lif(backend: str, **options: Any) -> neuron.LIFNode:
    return neuron.LIFNode(
        **({"tau": 2.7, "step_mode": "m", "backend": backend, "v_reset": -0.1} | options)
    )


def _surrogates() -> Iterator[Row]:
    for case in SURROGATES:
        if case.random or not case.step:
            continue

        def make(backend: str, case: Any = case) -> neuron.LIFNode:
            return _lif(backend, surrogate_function=case.make())

        yield Row("Surrogates", (str(case),), make, lambda: [sequence((3, 17), T=9)])


def _layouts() -> Iterator[Row]:
    for dtype in TOLERANCE:
        for name, change in LAYOUTS.items():

            def inputs(dtype: torch.dtype = dtype, change: Any = change) -> Sequence[Tensor]:
                return [change(sequence((2, 3, 5, 7), T=9, dtype=dtype))]

            shown = str(dtype).removeprefix("torch.")
            yield Row("Dtypes and layouts", (shown, name), _lif, inputs, dtype)


ROWS = (*_neurons(), *_delayed(), *_more(), *_surrogates(), *_layouts())

HEADS = {
    "Neurons": ("neuron", "reset", "detached"),
    "Delayed resets": ("neuron", "reset"),
    "Surrogates": ("surrogate",),
    "Dtypes and layouts": ("dtype", "input"),
}


def page() -> str:
    """The text of docs/conformance.md."""
    text = TEXT
    for table, head in HEADS.items():
        rows = [row for row in ROWS if row.table == table]
        columns = (*head, "spikes", "gradients within", *(f"`{e}`" for e in ENGINES))
        text += f"\n## {table}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
        for row in rows:
            spikes = "equal" if row.exact else "equal away from the threshold"
            held = (spikes, f"{TOLERANCE[row.dtype]:.0e}", *("✓" for _ in ENGINES))
            text += f"| {' | '.join((*row.cells, *held))} |\n"
    return text


if __name__ == "__main__":
    PAGE.write_text(page())
