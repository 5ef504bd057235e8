import math

import pytest
import torch

from spikeframe import functional, neuron
from spikeframe.model import MembraneReadout


@pytest.mark.parametrize("make", [neuron.IFNode, neuron.LIFNode, neuron.ParametricLIFNode])
def test_readout_is_the_potential_of_the_node(make):
    x_seq = torch.randn(5, 3, 7, dtype=torch.float64)
    readout = MembraneReadout(make(v_threshold=math.inf))
    functional.set_step_mode(readout, "m")
    potential, expected = torch.zeros(3, 7, dtype=torch.float64), []
    for x in x_seq:
        gain, leak = (1.0, 1.0) if make is neuron.IFNode else (0.5, 0.5)
        potential = leak * potential + gain * x
        expected.append(potential)
    torch.testing.assert_close(readout(x_seq), torch.stack(expected))


def test_readout_steps_as_it_runs_sequences():
    x_seq = torch.randn(5, 3, 7)
    readout = MembraneReadout(neuron.LIFNode(v_threshold=math.inf))
    steps = torch.stack([readout(x) for x in x_seq])
    functional.reset_net(readout)
    functional.set_step_mode(readout, "m")
    assert torch.equal(steps, readout(x_seq))


def test_readout_passes_gradients_of_every_step():
    x_seq = torch.randn(4, 2, 3, requires_grad=True)
    readout = MembraneReadout(neuron.IFNode(v_threshold=math.inf, step_mode="m"))
    readout(x_seq).sum().backward()
    # Step t counts in the potentials of steps t, t + 1, ... T.
    expected = torch.tensor([4.0, 3.0, 2.0, 1.0]).view(4, 1, 1).expand(4, 2, 3)
    assert torch.equal(x_seq.grad, expected)


def test_readout_starts_anew_with_each_sequence_after_a_reset():
    readout = MembraneReadout(neuron.IFNode(v_threshold=math.inf, step_mode="m"))
    x_seq = torch.randn(4, 2, 3)
    first = readout(x_seq)
    functional.reset_net(readout)
    assert torch.equal(first, readout(x_seq))
    assert readout(x_seq).shape == x_seq.shape
