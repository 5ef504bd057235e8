"""How long does each neuron take per byte of state on 'cpp', against the LIF neuron?

Every neuron that a kernel serves takes turns with ``LIFNode``, round by round, so that a busy
machine hurts both alike. The time of a pass (training is forward and backward) is divided by the
bytes of state that it goes through: 4 per state, neuron and step. ``times_lif`` is the median over
the rounds of a neuron's time per byte over LIF's in the same round. The bound is 1.5, and 3 where
a step needs an exponential, tanh or sigmoid of the data. One thread; the clock is the process's
own time. Freed memory is kept, unless ``--malloc default`` is given: which neuron's tensors go
back to the system, to be met again page by page, is the allocator's doing and not the neuron's.
The rows replace those in neurons.csv.
"""

import argparse
import csv
import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measured.report import COMMON, common
from torch import Tensor

from spikeframe import kernels, neuron, rnn, surrogate

TABLE = Path(__file__).with_suffix(".csv")
STEPS = 16
# What fits into a cache, and what does not.
SHAPES = ((STEPS, 64, 1024), (STEPS, 64, 8192))
# What is timed is run this long before: a first call builds, and Python is slow for a while.
WARM_SECONDS = 0.04
# Of mallopt: how much free memory is given back, and how many pieces come from the system alone.
TRIM_THRESHOLD, MMAP_MAX = -1, -4
BOUND, BOUND_OF_FUNCTIONS = 1.5, 3.0
PASSES = ("inference", "training")
COLUMNS = (
    *(*COMMON, "shape", "neuron", "states", "functions", "pass"),
    *("ms", "ns_per_byte", "times_lif", "times_lif_20", "times_lif_80", "bound"),
)


class RefractoryLIFNode(neuron.Refractory, neuron.LIFNode):
    """The mixin of a refractory period."""


class NoisyLIFNode(neuron.Noisy, neuron.LIFNode):
    """The mixin of noise, a second input."""


@dataclass(frozen=True)
class Row:
    """A neuron.

    Arguments:
        make: Makes it.
        functions: Whether a step needs exp, tanh or sigmoid of the data.
        inputs: The number of its inputs.
    """

    make: Callable[..., Any]
    functions: bool = False
    inputs: int = 1


def given(kind: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """A class with some arguments."""
    return lambda **options: kind(*args, **kwargs, **options)


def one_to_one(kind: Callable[..., Any], **kwargs: Any) -> Callable[..., Any]:
    """A recurrent class of the snnTorch family whose spikes come back alone."""
    return given(kind, all_to_all=False, V=-0.4, **kwargs)


SOFT = {"v_reset": None}

ROWS = {
    "LIFNode, soft reset": Row(given(neuron.LIFNode, **SOFT)),
    "LIFNode, decay_input=False": Row(given(neuron.LIFNode, decay_input=False)),
    "IFNode": Row(neuron.IFNode),
    "ParametricLIFNode": Row(neuron.ParametricLIFNode),
    "QIFNode": Row(neuron.QIFNode),
    "EIFNode": Row(neuron.EIFNode, functions=True),
    "IzhikevichNode": Row(given(neuron.IzhikevichNode, a=0.3, b=0.4)),
    "AdExNode": Row(neuron.AdExNode, functions=True),
    "ALIFNode": Row(neuron.ALIFNode),
    "KLIFNode": Row(neuron.KLIFNode),
    "KLIFNode, scale_reset": Row(given(neuron.KLIFNode, scale_reset=True)),
    "CUBALIFNode": Row(neuron.CUBALIFNode),
    "LIAFNode, relu": Row(given(neuron.LIAFNode, torch.relu, False)),
    "LIAFNode, tanh": Row(given(neuron.LIAFNode, torch.tanh, False), functions=True),
    "ILIFNode": Row(neuron.ILIFNode),
    "GatedLIFNode": Row(given(neuron.GatedLIFNode, STEPS)),
    "ComplementaryLIFNode": Row(neuron.ComplementaryLIFNode, functions=True),
    "TernaryIFNode": Row(neuron.TernaryIFNode),
    "TernaryLIFNode": Row(neuron.TernaryLIFNode),
    "RAFNode": Row(neuron.RAFNode),
    "SimpleIFNode": Row(neuron.SimpleIFNode),
    "SimpleLIFNode": Row(given(neuron.SimpleLIFNode, 2.0, True)),
    "SLTTLIFNode": Row(neuron.SLTTLIFNode),
    "DSRIFNode": Row(given(neuron.DSRIFNode, STEPS, 1.0)),
    "DSRLIFNode": Row(given(neuron.DSRLIFNode, STEPS, 0.1, 1.0)),
    "NonSpikingIFNode": Row(neuron.NonSpikingIFNode),
    "NonSpikingLIFNode": Row(neuron.NonSpikingLIFNode),
    "NonSpikingLIFNode, max-mem": Row(given(neuron.NonSpikingLIFNode, 2.0, "max-mem")),
    "Refractory, LIFNode": Row(RefractoryLIFNode),
    "Noisy, LIFNode": Row(NoisyLIFNode, inputs=2),
    "RecurrentLIFNode, one to one": Row(given(rnn.RecurrentLIFNode, -0.4)),
    "Leaky": Row(given(neuron.Leaky, 0.5)),
    "Leaky, zero": Row(given(neuron.Leaky, 0.5, reset_mechanism="zero")),
    "Leaky, learned beta": Row(given(neuron.Leaky, 0.5, learn_beta=True)),
    "Leaky, reset_delay=False": Row(given(neuron.Leaky, 0.5, reset_delay=False)),
    "Synaptic": Row(given(neuron.Synaptic, 0.5, 0.5)),
    "Alpha": Row(given(neuron.Alpha, 0.9, 0.5)),
    "Lapicque": Row(given(neuron.Lapicque, R=2.0, C=1.0)),
    "RLeaky, one to one": Row(one_to_one(neuron.RLeaky, beta=0.5)),
    "RSynaptic, one to one": Row(one_to_one(neuron.RSynaptic, alpha=0.5, beta=0.5)),
    "StateLeaky": Row(given(neuron.StateLeaky, 0.5)),
    "DeltaLeaky": Row(given(neuron.DeltaLeaky, 0.5)),
}


def prepared(make: Callable[..., Any]) -> Any:
    """The node for sequences, on 'cpp', with the same surrogate gradient as the others."""
    node = make()
    strict = isinstance(node, neuron.SpikingNeuron)
    if not isinstance(node, neuron.ILIFNode | neuron.NonSpikingBaseNode):
        node.surrogate_function = surrogate.ATan(strict=strict)
    node.step_mode, node.backend = "m", "cpp"
    reason = kernels.why_not(node, "cpp")
    if reason is not None:
        raise RuntimeError(f"{type(node).__name__} is not fused here: {reason}")
    return node


def passes(row: Row, x_seqs: list[Tensor]) -> tuple[int, dict[str, Callable[[], None]]]:
    """The number of states, and what is timed."""
    node = prepared(row.make)
    used = x_seqs[: row.inputs]
    leaves = [x.clone().requires_grad_() for x in used]
    output = node(*used)
    grad = torch.rand_like(output)

    def training() -> None:
        node.reset()
        torch.autograd.grad(node(*leaves), [*leaves, *node.parameters()], grad)

    def inference() -> None:
        node.reset()
        with torch.no_grad():
            node(*used)

    states = len(dict(node.named_memories()))
    return states, {"training": training, "inference": inference}


def in_turn(first: Callable[[], None], second: Callable[[], None], rounds: int) -> list[Any]:
    """Pairs of seconds."""
    warm = time.process_time() + 2 * WARM_SECONDS
    while time.process_time() < warm:
        first()
        second()
    pairs = []
    for _ in range(rounds):
        begin = time.process_time()
        first()
        middle = time.process_time()
        second()
        pairs.append((middle - begin, time.process_time() - middle))
    return pairs


def keep_memory() -> None:
    """Let freed memory stay with the process.

    Raises:
        RuntimeError: The C library has no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not (mallopt(TRIM_THRESHOLD, -1) and mallopt(MMAP_MAX, 0)):
        raise RuntimeError("this C library cannot keep freed memory: give --malloc default")


def measure(
    name: str, rounds: int, x_seqs: list[Tensor], shared: dict[str, object]
) -> list[dict[str, object]]:
    """A row for each pass."""
    row = ROWS[name]
    _, lif = passes(Row(neuron.LIFNode), x_seqs)
    states, own = passes(row, x_seqs)
    found = []
    for what in PASSES:
        where = common(torch.device("cpu"), 1) | shared
        pairs = in_turn(own[what], lif[what], rounds)
        ratios = [mine / states / theirs for mine, theirs in pairs]
        fifths = statistics.quantiles(ratios, n=5)
        seconds = statistics.median(mine for mine, _ in pairs)
        found.append(
            where
            | {
                "shape": "x".join(map(str, x_seqs[0].shape)),
                "neuron": name,
                "states": states,
                "functions": "yes" if row.functions else "no",
                "pass": what,
                "ms": f"{seconds * 1e3:.3f}",
                "ns_per_byte": f"{seconds * 1e9 / (4 * states * x_seqs[0].numel()):.3f}",
                "times_lif": f"{statistics.median(ratios):.2f}",
                "times_lif_20": f"{fifths[0]:.2f}",
                "times_lif_80": f"{fifths[-1]:.2f}",
                "bound": BOUND_OF_FUNCTIONS if row.functions else BOUND,
            }
        )
    return found


def tell(row: dict[str, object]) -> None:
    """Print a row."""
    over = float(str(row["times_lif"])) > float(str(row["bound"]))
    place = f"{row['shape']:<12} {row['neuron']:<28} {row['pass']:<10}"
    bound = " over its bound" if over else ""
    print(f"{place} {row['ms']:>8} ms {row['times_lif']:>6}{bound}", flush=True)


def main() -> None:
    """Measure, print what is over its bound, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neuron", choices=ROWS, nargs="*", default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds, 2 at least")
    parser.add_argument("--out", type=Path, default=TABLE, help="the table to write")
    parser.add_argument("--malloc", choices=("keeps", "default"), default="keeps")
    options = parser.parse_args()
    shared: dict[str, object] = {}
    if options.malloc == "keeps":
        keep_memory()
        shared = {"malloc": "keeps"}
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for shape in SHAPES:
        x_seqs = [torch.rand(shape) * 2, torch.randn(shape)]
        for name in options.neuron:
            rows += measure(name, options.rounds, x_seqs, shared)
            for row in rows[-len(PASSES) :]:
                tell(row)
    with open(options.out, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
