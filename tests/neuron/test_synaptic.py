"""The neuron with a synaptic current: golden numbers, and what it becomes without one."""

import pytest
import torch
from cases import sequence

from spikeframe import neuron


def test_golden_spikes_of_a_pulse_every_ten_steps():
    x_seq = torch.zeros(200, 1)
    x_seq[::10] = 0.2
    assert neuron.Synaptic(alpha=0.9, beta=0.8, step_mode="m")(x_seq).sum() == 12


@pytest.mark.parametrize("reset_mechanism", ["subtract", "none"])
def test_without_memory_of_the_current_it_is_the_leaky_neuron(reset_mechanism):
    kept = {"reset_mechanism": reset_mechanism, "step_mode": "m", "store_v_seq": True}
    synaptic, leaky = neuron.Synaptic(0.0, 0.9, **kept), neuron.Leaky(0.9, **kept)
    x_seq = sequence((4,), T=30)
    assert torch.equal(synaptic(x_seq), leaky(x_seq))
    assert torch.equal(synaptic.mem_seq, leaky.mem_seq)


def test_a_reset_to_zero_swallows_the_input_of_its_step():
    node = neuron.Synaptic(0.0, 0.9, reset_mechanism="zero", store_v_seq=True, step_mode="m")
    node(torch.full((4, 1), 0.6))
    assert node.mem_seq.flatten().tolist() == pytest.approx([0.6, 1.14, 0.0, 0.6], abs=1e-6)
    assert node.syn.item() == pytest.approx(0.6)
