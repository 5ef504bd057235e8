"""Neurons as users write them, in their own files, of shapes that nobody here foresaw."""

import torch
from torch import nn

from spikeframe import neuron, surrogate

__all__ = ["FOREIGN", "Refractory", "Triangle"]

DECAY = 0.8


class Triangle(surrogate.Surrogate):
    """A surrogate of the user's own."""

    def derivative(self, u):
        return torch.relu(1.0 - self.width * u.abs())


class Refractory(neuron.BaseNode):
    """Three states, a learned threshold per channel, an if on a flag, a counter by where."""

    def __init__(self, adaptive=True, **kwargs):
        super().__init__(surrogate_function=Triangle(width=0.7), **kwargs)
        self.gain = nn.Parameter(torch.tensor([0.7, 0.9, 1.2, 0.8]).reshape(4, 1))
        self.adaptive, self.rest = adaptive, 2
        self.register_memory("a", 0.0)
        self.register_memory("wait", 0.0)

    def neuronal_charge(self, x):
        self.v = torch.where(self.wait > 0, self.v, DECAY * self.v + x)

    def neuronal_fire(self):
        bound = self.gain + self.a if self.adaptive else self.gain
        return self.surrogate_function(self.v - bound)

    def neuronal_reset(self, spike):
        super().neuronal_reset(spike)
        self.a = 0.9 * self.a + 0.3 * spike
        self.wait = torch.where(spike > 0, self.rest, torch.clamp(self.wait - 1.0, min=0.0))


class InPlace(neuron.BaseNode):
    """The older style: changes the membrane in place, casts by float()."""

    def neuronal_charge(self, x):
        self.v += 0.5 * x
        self.v *= 0.9

    def neuronal_fire(self):
        return self.surrogate_function(self.v - self.v_threshold)

    def neuronal_reset(self, spike):
        self.v = self.v * (1 - (spike > 0).float()) + 0.1 * spike


class TwoInputs(neuron.BaseNode):
    """Takes an input current and a modulation."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = nn.Parameter(torch.tensor(0.3))

    def neuronal_charge(self, x, modulation):
        self.v = self.v + x * torch.sigmoid(self.w + modulation)


class Conductance(neuron.BaseNode):
    """Division, square root and an exponential of the data."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.register_memory("g", 0.1)

    @property
    def leak(self):
        return 1.0 / (1.0 + abs(self.v_threshold))

    def neuronal_charge(self, x):
        self.g = self.g * 0.7 + torch.sqrt(x.abs() + 0.01)
        self.v = (self.v + self.g * x) / (1.0 + self.g) - self.leak * torch.exp(-self.v)


# Name, how it is made, and the number of its inputs.
FOREIGN = (
    ("refractory", Refractory, 1),
    ("refractory-plain", lambda **k: Refractory(adaptive=False, v_reset=None, **k), 1),
    ("refractory-detached", lambda **k: Refractory(detach_reset=True, **k), 1),
    ("in-place", InPlace, 1),
    ("two-inputs", TwoInputs, 2),
    ("conductance", Conductance, 1),
)
