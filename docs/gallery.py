"""The rows of the gallery: one neuron each, drawn with its input, its states and its spikes.

``python docs/gallery.py`` writes docs/gallery.md; building the pages draws the figures. A new
neuron joins by a row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikeframe import neuron, plot

__all__ = ["FOLDER", "PAGE", "ROWS", "Row", "draw", "page", "run"]

PAGE = Path(__file__).with_suffix(".md")
FOLDER = "gallery"

TEXT = """\
# Gallery

Every neuron with the same input: nothing, a weak current, a strong one, pulses, and a negative
current. Above is the input, in the middle are the states after each step, below is the output.
Each figure is made in three lines:

```python
import torch
from spikeframe import neuron, plot

x_seq = 0.8 + 0.4 * torch.rand(60)
node = neuron.LIFNode(tau=5.0, v_threshold=0.9, step_mode="m", store_state_seqs=True)
spikes = node(x_seq)
figure = plot.neuron_figure(x_seq, node.state_seqs, spikes)
```

The page is written by `python docs/gallery.py`, from one row a neuron.
"""


def drive() -> Tensor:
    """The input of every row, [T]."""
    parts = [(10, 0.0), (25, 0.6), (25, 1.2), (10, 0.0)]
    held = torch.cat([torch.full((n,), value) for n, value in parts])
    pulses = torch.zeros(30)
    pulses[::5] = 2.0
    return torch.cat([held, pulses, torch.full((15,), -0.8), torch.zeros(5)])


class NoisyLIFNode(neuron.Noisy, neuron.LIFNode):
    """Leaky integrate-and-fire neuron with noise on its input, by the mixin ``Noisy``."""


class RefractoryLIFNode(neuron.Refractory, neuron.LIFNode):
    """Leaky integrate-and-fire neuron with a refractory period, by the mixin ``Refractory``."""


@dataclass(frozen=True)
class Row:
    """One neuron.

    Arguments:
        make: Its class.
        arguments: How it is made.
        scale: A factor of the input.
        shown: Which class the row shows, where it is made by another one.
        shape: The shape of one step.
        seed: What weights are drawn with.
    """

    make: Callable[..., Any]
    arguments: Mapping[str, Any]
    scale: float = 1.0
    shown: str = ""
    shape: tuple[int, ...] = (1, 1)
    seed: int = 0

    @property
    def name(self) -> str:
        return self.shown or getattr(self.make, "__name__", "")


LEAKY = {"tau": 5.0, "decay_input": False, "v_threshold": 2.0}

ROWS = (
    Row(neuron.IFNode, {"v_threshold": 3.0}),
    Row(neuron.LIFNode, LEAKY),
    Row(neuron.ParametricLIFNode, {"init_tau": 5.0, "decay_input": False, "v_threshold": 2.0}),
    Row(neuron.QIFNode, {"tau": 5.0}),
    Row(neuron.EIFNode, {"tau": 5.0, "delta_T": 0.4}),
    Row(neuron.IzhikevichNode, {"tau": 5.0, "tau_w": 20.0, "b": 0.2}),
    Row(neuron.AdExNode, {"tau": 5.0, "delta_T": 0.4, "b": 0.2}),
    Row(neuron.ALIFNode, LEAKY | {"beta": 0.6}),
    Row(neuron.KLIFNode, LEAKY | {"k": 1.1}),
    Row(neuron.CUBALIFNode, {"v_threshold": 3.0}),
    Row(neuron.LIAFNode, {"act": torch.relu, "threshold_related": False} | LEAKY),
    Row(neuron.ILIFNode, {"tau": 5.0}),
    Row(neuron.GatedLIFNode, {"T": len(drive())}, 0.3),
    Row(neuron.ComplementaryLIFNode, {"tau": 5.0, "v_threshold": 2.0}),
    Row(neuron.TernaryIFNode, {"v_threshold": 3.0}),
    Row(neuron.TernaryLIFNode, LEAKY),
    Row(neuron.RAFNode, {"b": -0.1, "omega": torch.pi * 2 / 5}, 0.6),
    Row(neuron.PSN, {"T": len(drive())}, 2.0),
    Row(neuron.MaskedPSN, {"k": 5, "T": len(drive()), "lambda_init": 1.0}, 9.0),
    Row(neuron.SlidingPSN, {"k": 5}, 0.6),
    Row(neuron.NonSpikingIFNode, {}),
    Row(neuron.NonSpikingLIFNode, {"tau": 5.0}),
    Row(neuron.SimpleIFNode, {"v_threshold": 3.0}),
    Row(neuron.SimpleLIFNode, LEAKY),
    Row(neuron.DSRIFNode, {"T": len(drive()), "v_threshold": 3.0}),
    Row(neuron.DSRLIFNode, {"T": len(drive()), "delta_t": 0.2, "v_threshold": 0.5}),
    Row(neuron.MPBNLIFNode, {"tau": 5.0, "out_features": 1, "v_threshold": 2.0}),
    Row(neuron.OTTTLIFNode, {"tau": 5.0, "v_threshold": 2.0}),
    Row(neuron.SLTTLIFNode, LEAKY),
    Row(neuron.Leaky, {"beta": 0.8, "threshold": 2.0}),
    Row(neuron.DeltaLeaky, {"beta": 0.8, "delta_threshold": 0.5}),
    Row(neuron.StateLeaky, {"beta": 0.8, "threshold": 4.0}),
    Row(neuron.LinearLeaky, {"beta": 0.8, "in_features": 1, "out_features": 1}, 4.0, seed=2),
    Row(neuron.LeakyParallel, {"input_size": 1, "hidden_size": 1, "beta": 0.8}, 4.0, seed=2),
    Row(neuron.Synaptic, {"alpha": 0.7, "beta": 0.8, "threshold": 5.0}),
    Row(neuron.Alpha, {"alpha": 0.9, "beta": 0.7, "threshold": 3.0}),
    Row(neuron.Lapicque, {"R": 5.0, "C": 1e-3, "time_step": 1e-3, "threshold": 2.0}),
    Row(neuron.RLeaky, {"beta": 0.8, "all_to_all": False, "V": -2.0}),
    Row(neuron.RSynaptic, {"alpha": 0.7, "beta": 0.8, "all_to_all": False, "V": -2.0}),
    Row(neuron.SLSTM, {"input_size": 1, "hidden_size": 1, "threshold": 0.05}, 4.0),
    Row(
        neuron.SConv2dLSTM,
        {"in_channels": 1, "out_channels": 1, "kernel_size": 1, "threshold": 0.05},
        4.0,
        shape=(1, 1, 1, 1),
        seed=7,
    ),
    Row(NoisyLIFNode, LEAKY | {"sigma": 0.5}, shown="Noisy"),
    Row(RefractoryLIFNode, LEAKY | {"tau_ref": 3}, shown="Refractory"),
)


@torch.no_grad()
def run(row: Row) -> tuple[Tensor, Mapping[str, Tensor], Tensor]:
    """The input, states and output of a row's neuron, [T]."""
    torch.manual_seed(row.seed)
    node, x_seq = row.make(**row.arguments), drive() * row.scale
    node.train(not isinstance(node, neuron.MPBNBaseNode))  # one neuron is no batch
    steps = x_seq.reshape(-1, *row.shape)
    others = [torch.randn(steps.shape)] if isinstance(node, neuron.Noisy) else []
    node.backend = "eager"  # for one neuron no kernel is worth its compilation
    node.step_mode = "m" if "m" in node.supported_step_mode() else "s"
    if hasattr(node, "potential"):
        states = {"potential": node.potential(steps)}
        output = node(steps)
    else:
        node.store_state_seqs = True
        output = node(steps, *others) if node.step_mode == "m" else by_steps(node, steps)
        states = node.state_seqs
    return x_seq, {name: seq.flatten() for name, seq in states.items()}, output.flatten()


def by_steps(node: Any, steps: Tensor) -> Tensor:
    """The spikes of a neuron that takes single steps only (and may give their trace as well)."""
    outputs = [node(x) for x in steps]
    return torch.stack([o[0] if isinstance(o, list) else o for o in outputs])


def page() -> str:
    """The text of docs/gallery.md."""
    text = TEXT
    for row in ROWS:
        known = getattr(neuron, row.name, row.make)
        summary = (known.__doc__ or "").strip().splitlines()[0]
        text += f"\n## {row.name}\n\n{summary}\n\n![{row.name}]({FOLDER}/{row.name}.svg)\n"
    return text


def draw(folder: Path) -> None:
    """Draw every row into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in ROWS:
        figure = plot.neuron_figure(*run(row))
        figure.savefig(folder / f"{row.name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    PAGE.write_text(page())
