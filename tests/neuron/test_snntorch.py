"""Conversion from snnTorch without it: stand-ins with its attributes; live in golden/."""

import pytest
import torch
from cases import sequence
from torch import nn

from spikeframe import neuron, surrogate


class Leaky(nn.Module):
    """The attributes of snnTorch's Leaky that a conversion reads."""

    def __init__(self, beta, *, init_hidden=True, learn=False, **given):
        super().__init__()
        self.init_hidden, self.reset_delay, self.inhibition = init_hidden, True, False
        self.state_quant = False
        values = {"beta": beta, "threshold": 1.0, "graded_spikes_factor": 1.0} | given
        for name, value in values.items():
            self.register_buffer(name, torch.as_tensor(value))
        if learn:
            del self.beta
            self.beta = nn.Parameter(torch.as_tensor(beta))
        self.state_function = self._base_zero
        self.spike_grad = torch.sigmoid

    def _base_zero(self):
        """Tells the reset by its name."""


class Associative(nn.Module):
    """A neuron that we do not have."""


for stand_in in (Leaky, Associative):
    stand_in.__module__ = "snntorch._neurons.stand_in"


def test_attributes_become_arguments():
    made = neuron.from_snntorch(Leaky(0.9, threshold=torch.tensor([0.5, 0.6]), learn=True))
    assert type(made) is neuron.Leaky
    assert made.reset_mechanism == "zero"
    assert made.beta.item() == pytest.approx(0.9)
    assert [name for name, _ in made.named_parameters()] == ["beta"]
    assert made.threshold.tolist() == pytest.approx([0.5, 0.6])
    assert made.surrogate_function is torch.sigmoid
    assert neuron.from_snntorch(Leaky(0.9)).beta == 0.9


def test_a_net_is_copied_around_them():
    node = Leaky(0.9, learn=True)
    shared = nn.Linear(3, 3)
    net = nn.Sequential(shared, node, nn.Sequential(shared, node)).eval()
    made = neuron.from_snntorch(net)
    assert made[1] is made[2][1]
    assert made[0] is made[2][0]
    assert made[0] is not shared
    assert not made[1].training
    assert net[1] is node
    made[1].surrogate_function = surrogate.ATan(strict=True)
    spikes = [made(x) for x in 3 * sequence((2, 3))]
    torch.stack(spikes).sum().backward()
    assert shared.weight.grad is None
    assert node.beta.grad is None
    assert made[0].weight.grad.abs().sum() > 0


def test_what_has_no_counterpart_is_named():
    suppressed = Leaky(0.9)
    suppressed.inhibition = True
    cases = [
        (nn.Sequential(Associative()), r"0 \(Associative\) has no counterpart"),
        (suppressed, "Leaky has no counterpart with inhibition=True: it resets the neurons that"),
        (Leaky(1.5), r"Leaky has no counterpart: beta must be in \[0, 1\]"),
        (nn.Sequential(Leaky(0.5, init_hidden=False)), r"0 \(Leaky\) has init_hidden=False: the"),
    ]
    for module, text in cases:
        with pytest.raises(ValueError, match=text):
            neuron.from_snntorch(module)

    class Mine(Leaky):
        pass

    with pytest.raises(TypeError, match="Mine is a subclass of snnTorch's Leaky"):
        neuron.from_snntorch(nn.Sequential(Mine(0.5)))
    with pytest.raises(TypeError, match="takes a module, got str"):
        neuron.from_snntorch("Leaky")
    delayed = Leaky(0.5)
    delayed.reset_delay, delayed.state_function = False, delayed._base_zero
    assert not neuron.from_snntorch(delayed).reset_delay
