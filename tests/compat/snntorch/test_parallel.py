"""Neurons without reset take whole sequences, each from rest."""

import math

import pytest
import torch

import spikeframe.compat.snntorch as snn
from spikeframe import neuron

X_SEQ = torch.rand(7, 2, 3, generator=torch.Generator().manual_seed(0))

MAKE = {
    "state": lambda **o: snn.StateLeaky(0.7, 3, **o),
    "linear": lambda **o: snn.LinearLeaky(0.7, 3, 4, **o),
    "parallel": lambda **o: snn.LeakyParallel(3, 4, 0.7, **o),
}


def test_what_they_cannot_do_is_refused():
    with pytest.raises(ValueError, match="weight_hh_enable=True"):
        snn.LeakyParallel(2, 2, weight_hh_enable=True)
    with pytest.raises(ValueError, match="kernel_truncation_steps"):
        snn.StateLeaky(0.9, 2, kernel_truncation_steps=3)
    with pytest.raises(ValueError, match="one value for each of the 3 channels"):
        snn.StateLeaky(torch.rand(2), 3)
    with pytest.raises(TypeError, match="needs beta"):
        snn.DeltaLeaky(1.0)


def test_they_decay_by_beta_and_drop():
    x = torch.rand(20, 2, 3)
    _, mem = snn.StateLeaky(0.7, 3)(x)
    lif = snn.Leaky(0.7, reset_mechanism="none", step_mode="m")
    torch.testing.assert_close(mem, lif(x)[1])
    layer = snn.LeakyParallel(3, 4, beta=torch.linspace(0.1, 0.9, 4), threshold=-9.0, dropout=0.5)
    assert set(layer(x).unique().tolist()) == {0.0, 2.0}
    assert layer.eval()(x).unique().tolist() == [1.0]


@pytest.mark.parametrize("name", MAKE)
def test_every_sequence_begins_from_rest_and_every_step_from_the_last(name):
    lif = MAKE[name]()
    first, second = lif(X_SEQ), lif(X_SEQ)
    torch.testing.assert_close(second, first)
    whole = first if isinstance(first, tuple) else (first,)
    lif.reset()
    lif.step_mode = "s"
    for t, x in enumerate(X_SEQ):
        found = lif(x)
        found = found if isinstance(found, tuple) else (found,)
        torch.testing.assert_close(found, tuple(part[t] for part in whole))


@pytest.mark.parametrize("name", MAKE)
def test_they_learn_the_map_alone_by_default(name):
    lif = MAKE[name]()
    assert {n for n, _ in lif.named_parameters()} <= {"linear.weight", "linear.bias"}
    assert (lif.threshold, lif.graded_spikes_factor, lif.state_quant) == (1.0, 1.0, None)
    assert getattr(lif, "dropout", torch.nn.Dropout(0.0)).p == 0.0
    x_seq = X_SEQ.clone().requires_grad_()
    found = lif(x_seq)
    spk = found[0] if isinstance(found, tuple) else found
    assert torch.autograd.grad(spk.sum(), x_seq)[0].any()
    learns = MAKE[name](learn_beta=True, learn_threshold=True, learn_graded_spikes_factor=True)
    names = {n for n, _ in learns.named_parameters()} - {"linear.weight", "linear.bias"}
    assert {"threshold", "graded_spikes_factor"} < names
    assert len(names) == 3


def test_a_sequence_may_go_on_from_a_potential():
    lif = snn.StateLeaky(0.7, 3)
    _, mem = lif(X_SEQ)
    _, half = lif(X_SEQ[:4])
    torch.testing.assert_close(lif(X_SEQ[4:], half[-1])[1], mem[4:])
    torch.testing.assert_close(lif(X_SEQ[4:], mem=half[-1])[1], mem[4:])
    assert not torch.allclose(lif(X_SEQ[4:])[1], mem[4:])


@pytest.mark.parametrize("name", ["state", "linear"])
def test_potentials_alone_if_no_spikes_are_wanted(name):
    lif = MAKE[name]()
    spk, mem = lif(X_SEQ)
    assert set(spk.unique().tolist()) <= {0.0, 1.0}
    lif.output = False
    torch.testing.assert_close(lif(X_SEQ), mem)
    lif.reset()
    lif.step_mode = "s"
    torch.testing.assert_close(lif(X_SEQ[0]), mem[0])
    assert lif.kept_states == ()


def test_strict_does_as_snntorch_does():
    factor = 3.0
    mem = snn.StateLeaky(0.7, 3, strict=True)(X_SEQ)[1]
    slower = snn.StateLeaky(math.exp(0.7 - 1), 3)(X_SEQ)[1]
    torch.testing.assert_close(mem, slower)
    for strict, worth in ((False, 3.0), (True, 9.0)):
        lif = snn.StateLeaky(0.7, 3, graded_spikes_factor=factor, strict=strict)
        assert lif(X_SEQ)[0].max() == worth
    assert snn.LeakyParallel(3, 4, 0.7, strict=True).rectify is True
    assert snn.LeakyParallel(3, 4, 0.7).rectify is False


@pytest.mark.parametrize("strict", [False, True])
def test_decays_of_each_channel(strict):
    beta = torch.tensor([0.1, 0.5, 0.9])
    mem = snn.StateLeaky(beta, 3, strict=strict)(X_SEQ)[1]
    for channel in range(3):
        alone = snn.StateLeaky(beta[channel].item(), 1, strict=strict)
        expected = alone(X_SEQ[..., channel : channel + 1])[1]
        torch.testing.assert_close(mem[..., channel : channel + 1], expected)
    with pytest.raises(TypeError, match=r"beta must be a number, a tensor .* got \[0.5\]"):
        snn.StateLeaky([0.5], 1, strict=strict)


@pytest.mark.parametrize("bias", [False, True])
def test_linear_maps_are_made_as_they_are_asked_for(bias):
    options = {"bias": bias, "dtype": torch.float64}
    for lif in (
        snn.LinearLeaky(0.7, 3, 4, **options),
        snn.LeakyParallel(3, 4, 0.7, **options),
        snn.LinearLeaky(0.7, 3, 4, bias, device="meta"),
        snn.LeakyParallel(3, 4, 0.7, bias, device="meta"),
    ):
        assert lif.linear.weight.shape == (4, 3)
        assert (lif.linear.bias is not None) is bias
        on_meta = lif.linear.weight.device.type == "meta"
        assert lif.linear.weight.dtype == (torch.float32 if on_meta else torch.float64)
    lif = snn.LinearLeaky(0.7, 3, 4, **options)
    spk, mem = lif(X_SEQ.double())
    twin = neuron.StateLeaky(0.7, step_mode="m", store_v_seq=True)
    torch.testing.assert_close(twin(lif.linear(X_SEQ.double())), spk)
    torch.testing.assert_close(twin.mem_seq, mem)
