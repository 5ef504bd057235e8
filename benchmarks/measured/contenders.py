"""What takes part: this package's backends, a loop written by hand, and installed peers."""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from spikeframe import kernels, neuron, surrogate

from .yardstick import PIECE, hand_written

__all__ = ["NEURONS", "Contender", "contenders"]

Pass = Callable[[Tensor, Tensor], object]

TAU = 2.0


@dataclass(frozen=True)
class Contender:
    """One implementation.

    Arguments:
        name: Its name in the table.
        step_mode: 's' for a loop over steps, 'm' for the whole sequence at once.
        run: From x_seq to spikes, from the reset state.
        equal: Whether its spikes are equal to eager ones, bit by bit.
        passes: What it has instead of autograd: passes of x_seq and the spikes' gradient.
    """

    name: str
    step_mode: str
    run: Callable[[Tensor], Tensor]
    equal: bool = True
    passes: dict[str, Pass] = field(default_factory=dict)


@dataclass(frozen=True)
class Neuron:
    """A neuron as each package has it.

    Arguments:
        ours: Makes it, from step mode and backend.
        peers: By the name of a package: makes its contender.
        exact: Whether all backends give equal spikes; exp differs by a rounding.
    """

    ours: Callable[..., Any]
    peers: dict[str, Callable[[], Contender]] = field(default_factory=dict)
    exact: bool = True


def contenders(name: str, x_seq: Tensor) -> list[Contender]:
    """Every backend that serves a neuron on the input's device, and the peers."""
    case, device = NEURONS[name], x_seq.device
    backends = [b for b in kernels.BACKENDS if kernels.why_not(case.ours(), b, device) is None]
    found = [_ours(case, backend, "m") for backend in backends]
    found += [_ours(case, b, "s") for b in backends if b == "eager" or b == backends[0]]
    if name == "LIF" and x_seq.device.type == "cpu":
        found += _by_hand(x_seq)
    for package, make in case.peers.items():
        try:
            found.append(make())
        except ImportError as error:
            _tell_once(f"{package} takes no part: {error}")
    return found


def _ours(case: Neuron, backend: str, step_mode: str) -> Contender:
    node = case.ours(step_mode=step_mode, backend=backend)

    def run(x_seq: Tensor) -> Tensor:
        node.to(x_seq.device)
        node.reset()
        if step_mode == "m":
            return node(x_seq)
        return torch.stack([node(x) for x in x_seq.unbind(0)])

    return Contender(backend, step_mode, run, case.exact)


def _by_hand(x_seq: Tensor) -> list[Contender]:
    written = hand_written()
    if written is None or x_seq.dtype != torch.float32 or x_seq[0].numel() % PIECE:
        return []
    passes: dict[str, Pass] = {
        "inference": lambda x, grad: written.inference(x),
        "forward": lambda x, grad: written.forward(x),
        "training": lambda x, grad: written.backward(written.forward(x)[1], grad),
    }
    return [Contender("by hand", "m", written.inference, passes=passes)]


def _spikingjelly(name: str, *args: float) -> Contender:
    from spikingjelly.activation_based import neuron, surrogate

    node = getattr(neuron, name)(*args, surrogate_function=surrogate.ATan(), step_mode="m")

    def run(x_seq: Tensor) -> Tensor:
        node.to(x_seq.device)
        node.reset()
        return node(x_seq)

    return Contender("spikingjelly", "m", run, name in ("IFNode", "LIFNode"))


def _snntorch() -> Contender:
    """Leaky in a loop: another equation, so its spikes are not compared."""
    import snntorch

    node = snntorch.Leaky(beta=1 - 1 / TAU, spike_grad=snntorch.surrogate.atan())

    def run(x_seq: Tensor) -> Tensor:
        node.to(x_seq.device)
        membrane = node.reset_mem()
        spikes = []
        for x in x_seq.unbind(0):
            spike, membrane = node(x, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    return Contender("snntorch", "s", run, equal=False)


def _norse() -> Contender:
    """LIFBoxCell in a loop: another order of operations, so its spikes are not compared."""
    from norse.torch import LIFBoxCell

    cell = LIFBoxCell()

    def run(x_seq: Tensor) -> Tensor:
        state, spikes = None, []
        for x in x_seq.unbind(0):
            spike, state = cell(x, state)
            spikes.append(spike)
        return torch.stack(spikes)

    return Contender("norse", "s", run, equal=False)


@functools.cache
def _tell_once(text: str) -> None:
    print(text, file=sys.stderr)


def _with_atan(make: Callable[..., Any], *args: float, **fixed: Any) -> Callable[..., Any]:
    return lambda **options: make(*args, surrogate_function=surrogate.ATan(), **fixed, **options)


NEURONS = {
    "LIF": Neuron(
        _with_atan(neuron.LIFNode, TAU),
        {
            "spikingjelly": lambda: _spikingjelly("LIFNode", TAU),
            "snntorch": _snntorch,
            "norse": _norse,
        },
    ),
    "LIF, soft reset": Neuron(_with_atan(neuron.LIFNode, TAU, v_reset=None)),
    "IF": Neuron(_with_atan(neuron.IFNode), {"spikingjelly": lambda: _spikingjelly("IFNode")}),
    "PLIF": Neuron(
        _with_atan(neuron.ParametricLIFNode, TAU),
        {"spikingjelly": lambda: _spikingjelly("ParametricLIFNode", TAU)},
        exact=False,
    ),
    "EIF": Neuron(_with_atan(neuron.EIFNode), exact=False),
    "Leaky": Neuron(lambda **options: neuron.Leaky(beta=0.5, **options)),
}
