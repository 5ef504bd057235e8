"""How neurons are called: which states fit, what is refused, and sequences."""

import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe import functional, neuron


def test_a_neuron_that_keeps_its_states_takes_none():
    with pytest.raises(TypeError, match="init_hidden=True, got mem as well: pass the input alone"):
        snn.Leaky(0.9, init_hidden=True)(torch.zeros(2), torch.zeros(2))


def test_a_sequence_begins_from_the_state_given():
    x, mem = torch.rand(6, 2, 3), torch.rand(2, 3)
    one, many = snn.Leaky(0.8), snn.Leaky(0.8, step_mode="m")
    rows, state = [], mem
    for step in x:
        spk, state = one(step, state)
        rows.append((spk, state))
    spk_seq, mem_seq = many(x, mem)
    assert torch.equal(spk_seq, torch.stack([r[0] for r in rows]))
    assert torch.equal(mem_seq, torch.stack([r[1] for r in rows]))
    assert torch.equal(many.mem, state)
    with pytest.raises(ValueError, match=r"mem has shape \[6, 2, 3\]"):
        many(x, mem_seq)


def test_gradients_flow_through_states_that_are_passed():
    grads = []
    for step_mode in ("s", "m"):
        mem = torch.full((2,), 0.5, requires_grad=True)
        lif = snn.Leaky(0.5, step_mode=step_mode)
        x = torch.zeros(2) if step_mode == "s" else torch.zeros(1, 2)
        lif(x, mem)[1].sum().backward()
        grads.append(mem.grad.tolist())
    assert grads == [[0.5, 0.5]] * 2


def test_two_backwards_in_explicit_loops_do_not_warn():
    lif, fc = snn.Leaky(0.9), nn.Linear(3, 3)
    for _ in range(2):
        mem = lif.init_leaky()
        for _ in range(4):
            _, mem = lif(fc(torch.rand(2, 3)), mem)
        mem.sum().backward()


def test_spikes_alone_are_fused_and_keep_no_sequence():
    lif = snn.Leaky(0.9, init_hidden=True, step_mode="m")
    assert lif(torch.rand(5, 2)).shape == (5, 2)
    assert lif.mem_seq is None


def test_natives_see_a_native_neuron():
    assert isinstance(snn.Leaky(0.9), neuron.Leaky)
    net = nn.Sequential(nn.Linear(2, 2), snn.Leaky(0.9, init_hidden=True))
    functional.set_step_mode(net, "m")
    assert net(torch.rand(5, 3, 2)).shape == (5, 3, 2)


def test_a_state_dict_brings_its_reset():
    lif, other = snn.Leaky(0.9), snn.Leaky(0.5, reset_mechanism="none", graded_spikes_factor=3.0)
    lif.load_state_dict(other.state_dict())
    assert lif.reset_mechanism == "none"
    assert lif.beta.item() == 0.5
    assert lif.graded_spikes_factor == 3.0


def test_layers():
    norms = snn.BatchNormTT2d(3, time_steps=4)
    assert len(norms) == 4
    assert all(isinstance(n, nn.BatchNorm2d) and n.bias is None for n in norms)
    assert snn.BatchNormTT1d(3, 2)[1](torch.rand(5, 3)).shape == (5, 3)
    graded = snn.GradedSpikes(3, None)
    assert ((graded.weights >= 0.5) & (graded.weights <= 1.5)).all()
