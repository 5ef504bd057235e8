"""Rows of the registry: the SpikingJelly family, each with its equations written out once more."""

import cmath
from typing import Any

import torch
from neuron_case import NeuronCase, States, reset_potential
from reference import fire
from torch import Tensor

from spikeframe import neuron, surrogate

__all__ = ["SPIKINGJELLY"]

Step = tuple[Tensor, States]
HARD_AND_SOFT = ({"v_reset": -0.1}, {"v_reset": None, "detach_reset": True})
ALONE: tuple[dict[str, Any], ...] = ({},)


class NoisyIFNode(neuron.Noisy, neuron.IFNode):
    """Noise on a perfect integrator."""

    def __init__(self, sigma: Any = 0.5, v_threshold: Any = 1.0, **kwargs: Any) -> None:
        super().__init__(sigma=sigma, v_threshold=v_threshold, **kwargs)


class RefractoryCUBANode(neuron.Refractory, neuron.CUBALIFNode):
    """A refractory period on two states."""


def lif(node: Any, v: Tensor, x: Tensor) -> Tensor:
    rest = 0.0 if node.v_reset is None else node.v_reset
    return v + (x - (v - rest)) / node.tau if node.decay_input else v - (v - rest) / node.tau + x


def qif(node: Any, states: States, x: Any, given: Tensor) -> Step:
    (v,) = states
    h = v + (x[0] + node.a0 * (v - node.v_rest) * (v - node.v_c)) / node.tau
    s = fire(h - node.v_threshold, given)
    return s, (reset_potential(node, h, s),)


def eif(node: Any, states: States, x: Any, given: Tensor) -> Step:
    (v,) = states
    bent = node.delta_T * torch.exp((v - node.theta_rh) / node.delta_T)
    h = v + (x[0] - (v - node.v_rest) + bent) / node.tau
    s = fire(h - node.v_threshold, given)
    return s, (reset_potential(node, h, s),)


def adapted(node: Any, h: Tensor, w: Tensor, given: Tensor) -> Step:
    s = fire(h - node.v_threshold, given)
    w = (1 - 1 / node.tau_w) * w + node.a / node.tau_w * (h - node.v_rest) + node.b * s
    return s, (reset_potential(node, h, s), w)


def izhikevich(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v, w = states
    h = v + (x[0] + node.a0 * (v - node.v_rest) * (v - node.v_c) - w) / node.tau
    return adapted(node, h, w, given)


def adex(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v, w = states
    bent = node.delta_T * torch.exp((v - node.theta_rh) / node.delta_T)
    h = v + (x[0] - (v - node.v_rest) + bent - w) / node.tau
    return adapted(node, h, w, given)


def alif(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v, a = states
    h = lif(node, v, x[0])
    s = fire(h - node.v_threshold - node.beta * a, given)
    return s, (reset_potential(node, h, s), (1 - 1 / node.tau_a) * a + s)


def klif(node: Any, states: States, x: Any, given: Tensor) -> Step:
    f = lif(node, states[0], x[0])
    h = (node.k * f).clamp(min=0)
    s = fire(h - node.v_threshold, given)
    if not node.scale_reset:
        return s, (reset_potential(node, h, s),)
    d = s.detach() if node.detach_reset else s
    if node.v_reset is None:
        return s, ((h - d * node.v_threshold) / node.k,)
    return s, (d * node.v_reset + (1 - d) * h / node.k,)


def cuba(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v, c = states
    c = node.c_decay * c + x[0]
    h = node.v_decay * v + c
    s = fire(h - node.v_threshold, given)
    return s, (reset_potential(node, h, s), c)


def refractory_cuba(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v, c, wait = states
    waiting = wait > 0
    c = node.c_decay * c + x[0]
    h = torch.where(waiting, v, node.v_decay * v + c)
    s = fire(torch.where(waiting, h - 100.0, h - node.v_threshold), given)
    v = reset_potential(node, h, torch.where(waiting, 0.0, s))
    fired = s.detach() == 1
    wait = torch.where(fired, node.tau_ref, torch.where(waiting, wait - 1, 0.0))
    return torch.where(waiting, 0.0, s), (v, c, wait)


def liaf(node: Any, states: States, x: Any, given: Tensor) -> Step:
    h = lif(node, states[0], x[0])
    u = h - node.v_threshold
    # Its spikes are not its output: they are those of this reference.
    s = fire(u, (u >= 0).to(u))
    y = u if node.threshold_related else h
    return torch.where(y > 0, y, 0.0), (reset_potential(node, h, s),)


def ilif(node: Any, states: States, x: Any, given: Tensor) -> Step:
    h = (1 - 1 / node.tau) * states[0] + x[0]
    u = h / node.v_threshold
    window = ((u >= 0) & (u <= 4)).to(u)
    clear = (u.detach() - u.detach().floor() - 0.5).abs() > 1e-4
    assert torch.equal(u.detach().clamp(0, 4).round()[clear], given[clear])
    s = given + window * (u - u.detach())
    return s, (reset_potential(node, h, s),)


def glif(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v, s, step = states
    shown = ("alpha", "beta", "gamma", "tau", "linear_decay", "v_subreset", "v_threshold")
    gates = (getattr(node, name).double() for name in shown)
    alpha, beta, gamma, tau, linear, subreset, threshold = (1 / (1 + torch.exp(-g)) for g in gates)
    conduct = 1 / (1 + torch.exp(-node.conduct[int(step.flatten()[0])].double()))
    h = (1 - alpha * (1 - tau)) * v - (1 - alpha) * linear + (1 - beta * (1 - conduct)) * x[0]
    h = h - (1 - alpha * (1 - tau)) * v * gamma * s - (1 - gamma) * subreset * s
    s = fire(h - threshold, given)
    return s, (h, s, step + 1)


def clif(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v, m = states
    h = (1 - 1 / node.tau) * v + x[0]
    s = fire(h - node.v_threshold, given)
    m = m / (1 + torch.exp(-h / node.tau)) + s
    d = s.detach() if node.detach_reset else s
    return s, (h - d * (node.v_threshold + 1 / (1 + torch.exp(-m))), m)


def ternary(node: Any, h: Tensor, given: Tensor) -> Step:
    up = fire(h - node.v_threshold, (given == 1).to(h))
    down = fire(-h - node.v_threshold, (given == -1).to(h))
    s = up - down
    return s, (reset_potential(node, h, s if node.v_reset is None else up + down),)


def raf(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v, u = states
    step = torch.tensor(cmath.exp(complex(node.b, node.omega) * node.dt), dtype=torch.complex128)
    z = step * torch.complex(u, v)
    s = fire(z.imag - node.v_threshold, given)
    return s, (reset_potential(node, z.imag, s), z.real + x[0])


def sltt(node: Any, states: States, x: Any, given: Tensor) -> Step:
    h = lif(node, states[0].detach(), x[0])
    s = fire(h - node.v_threshold, given)
    return s, (reset_potential(node, h, s),)


def noisy(node: Any, states: States, x: Any, given: Tensor) -> Step:
    h = states[0] + x[0] + node.sigma * x[1]
    s = fire(h - node.v_threshold, given)
    return s, (reset_potential(node, h, s),)


def readout(node: Any, states: States, x: Any, given: Tensor) -> Step:
    v = states[0] + x[0]
    return v, (v,)


SPIKINGJELLY = (
    NeuronCase("QIF", neuron.QIFNode, literal=qif, options=HARD_AND_SOFT, drive=(2.0, 0.0)),
    NeuronCase("EIF", neuron.EIFNode, literal=eif, options=HARD_AND_SOFT, exact=False),
    NeuronCase(
        "Izhikevich",
        neuron.IzhikevichNode,
        arguments={"tau_w": 8.0, "a": 0.3, "b": 0.4, "w_rest": 0.1},
        literal=izhikevich,
        states=("v", "w"),
        options=HARD_AND_SOFT,
        drive=(2.0, 0.0),
    ),
    NeuronCase(
        "AdEx",
        neuron.AdExNode,
        arguments={"tau_w": 8.0, "a": 0.3, "w_rest": 0.1},
        literal=adex,
        states=("v", "w"),
        options=HARD_AND_SOFT,
        exact=False,
    ),
    NeuronCase(
        "ALIF",
        neuron.ALIFNode,
        arguments={"tau": 2.7, "tau_a": 6.0, "beta": 0.4},
        literal=alif,
        states=("v", "a"),
        options=HARD_AND_SOFT,
        drive=(2.0, 0.0),
    ),
    NeuronCase("KLIF", neuron.KLIFNode, literal=klif, options=HARD_AND_SOFT, drive=(1.0, -0.3)),
    NeuronCase(
        "KLIF-scaled",
        neuron.KLIFNode,
        arguments={"scale_reset": True, "tau": 2.7, "decay_input": False, "k": 1.25},
        literal=klif,
        options=HARD_AND_SOFT,
        drive=(1.0, -0.3),
    ),
    NeuronCase(
        "CUBA",
        neuron.CUBALIFNode,
        literal=cuba,
        states=("v", "c"),
        options=HARD_AND_SOFT,
        drive=(0.4, -0.1),
    ),
    NeuronCase(
        "CUBA-refractory",
        RefractoryCUBANode,
        literal=refractory_cuba,
        states=("v", "c", "wait"),
        options=HARD_AND_SOFT,
        drive=(0.4, -0.1),
    ),
    NeuronCase("IF-noisy", NoisyIFNode, literal=noisy, options=HARD_AND_SOFT, inputs=2),
    NeuronCase(
        "LIAF",
        neuron.LIAFNode,
        arguments={"act": torch.relu, "threshold_related": False},
        literal=liaf,
        spikes=False,
        options=HARD_AND_SOFT,
    ),
    NeuronCase(
        "LIAF-threshold",
        neuron.LIAFNode,
        arguments={"act": torch.relu, "threshold_related": True},
        literal=liaf,
        spikes=False,
        options=ALONE,
    ),
    NeuronCase(
        "ILIF",
        neuron.ILIFNode,
        arguments={"surrogate_function": surrogate.MultiLevelSpikeCount(4)},
        literal=ilif,
        options=({}, {"detach_reset": True}),
        drive=(2.0, 0.0),
    ),
    NeuronCase(
        "GLIF",
        neuron.GatedLIFNode,
        arguments={"T": 7},
        literal=glif,
        states=("v", "s"),
        hidden=(0.0,),
        options=ALONE,
        drive=(0.4, 0.1),
    ),
    NeuronCase(
        "CLIF",
        neuron.ComplementaryLIFNode,
        literal=clif,
        states=("v", "m"),
        options=({}, {"detach_reset": True}),
        exact=False,
    ),
    NeuronCase(
        "TernaryIF",
        neuron.TernaryIFNode,
        literal=lambda node, states, x, given: ternary(node, states[0] + x[0], given),
        options=HARD_AND_SOFT,
        drive=(1.5, -1.35),
    ),
    NeuronCase(
        "TernaryLIF",
        neuron.TernaryLIFNode,
        literal=lambda node, states, x, given: ternary(node, lif(node, states[0], x[0]), given),
        options=HARD_AND_SOFT,
        drive=(3.0, -2.7),
    ),
    NeuronCase(
        "RAF",
        neuron.RAFNode,
        arguments={"b": -0.1, "omega": 0.9, "dt": 0.8},
        literal=raf,
        states=("v", "u"),
        options=HARD_AND_SOFT,
    ),
    NeuronCase(
        "SimpleIF", neuron.SimpleIFNode, lambda v, x, rest, node: v + x, options=HARD_AND_SOFT
    ),
    NeuronCase(
        "SimpleLIF",
        neuron.SimpleLIFNode,
        lambda v, x, rest, node: v + (rest - v + x) / node.tau,
        {"tau": 2.7, "decay_input": True},
        options=HARD_AND_SOFT,
    ),
    NeuronCase(
        "SimpleLIF-input-not-decayed",
        neuron.SimpleLIFNode,
        lambda v, x, rest, node: v + (rest - v) / node.tau + x,
        {"tau": 2.7, "decay_input": False},
        options=HARD_AND_SOFT,
    ),
    NeuronCase("SLTT", neuron.SLTTLIFNode, literal=sltt, options=HARD_AND_SOFT),
    NeuronCase(
        "NonSpikingIF", neuron.NonSpikingIFNode, literal=readout, options=ALONE, spikes=False
    ),
)
