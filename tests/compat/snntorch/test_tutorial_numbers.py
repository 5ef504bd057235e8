"""Numbers and statements of the texts about leaky neurons and codes, import changed."""

import math

import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe import functional, neuron


def run(lif, currents, *states):
    """The explicit loop of the texts; spikes and potentials."""
    spk_rec, mem_rec = [], []
    for current in currents:
        spk, *states = lif(current, *states)
        spk_rec.append(spk)
        mem_rec.append(states[-1])
    return torch.stack(spk_rec), torch.stack(mem_rec)


def stepped(value, start=10, steps=200):
    return torch.cat([torch.zeros(start), torch.full((steps - start,), value)])


# One leaky integrate-and-fire neuron.


def test_the_two_ways_to_a_decay():
    time_step, tau = 1e-3, 5e-3
    assert functional.tau_to_beta(tau, time_step) == pytest.approx(0.819, abs=1e-3)
    assert functional.tau_to_beta(tau, time_step, method="euler") == pytest.approx(0.8)


def test_a_step_of_eulers_method():
    beta, mem, current = 0.8, torch.tensor([0.3]), torch.tensor([0.5])
    lif = snn.Lapicque(beta=beta)
    _, out = lif(current, mem)
    torch.testing.assert_close(out, mem + (1 - beta) * (-mem + current))


def test_the_input_with_and_without_its_factor():
    x, beta = torch.rand(6, 3) / 2, 0.75
    _, plain = run(snn.Leaky(beta=beta, reset_mechanism="none"), x, torch.zeros(3))
    _, scaled = run(snn.Lapicque(beta=beta, reset_mechanism="none"), x, torch.zeros(3))
    torch.testing.assert_close(scaled, plain * (1 - beta))


def test_a_spike_needs_more_than_the_threshold():
    spk, _ = snn.Leaky(beta=0.9)(torch.tensor([1.0, 1.0 + 1e-6]))
    assert spk.tolist() == [0, 1]


def test_the_reset_comes_in_the_next_step():
    beta = 0.9
    spk_rec, mem_rec = run(snn.Leaky(beta=beta), torch.full((4, 1), 0.6), torch.zeros(1))
    expected, mem, spk = [], 0.0, 0.0
    for _ in range(4):
        mem = beta * mem + 0.6 - spk * 1.0
        spk = float(mem > 1.0)
        expected.append(mem)
    assert mem_rec.flatten().tolist() == pytest.approx(expected)
    assert mem_rec.flatten().tolist() == pytest.approx([0.6, 1.14, 0.626, 1.1634])
    assert spk_rec.flatten().tolist() == [0, 1, 0, 1]


def test_the_neuron_of_the_text_is_that_of_a_step_ago():
    """It fires on the old potential: the same spikes, one step later."""

    def leaky_integrate_and_fire(mem, x, w, beta, threshold=1):
        spk = mem > threshold
        mem = beta * mem + w * x - spk * threshold
        return spk, mem

    x, mem, spikes = stepped(0.5), torch.zeros(1), []
    highest = 0.0
    for step in range(200):
        spk, mem = leaky_integrate_and_fire(mem, x[step], w=0.4, beta=0.819)
        spikes.append(spk.float())
        highest = max(highest, mem.item())
    spikes = torch.cat(spikes)
    assert spikes.sum() == 14
    assert highest == pytest.approx(1.0066, abs=1e-4)
    spk_rec, _ = run(snn.Leaky(beta=0.819), 0.4 * x, torch.zeros(1))
    assert torch.equal(spikes[1:], spk_rec.flatten()[:-1])


# Lapicque's neuron, in volts and farads.


def test_lapicque_fires_thirty_one_times():
    num_steps = 200
    lif1 = snn.Lapicque(R=5, C=1e-3, time_step=1e-3)
    mem = torch.zeros(1)
    cur_in = stepped(0.3)
    mem_rec = [mem]
    spk_rec = []
    for step in range(num_steps):
        spk, mem = lif1(cur_in[step], mem)
        mem_rec.append(mem)
        spk_rec.append(spk)
    assert torch.stack(mem_rec).shape == (num_steps + 1, 1)
    assert torch.stack(spk_rec).sum() == 31


def test_lapicque_decays_towards_rest_by_its_time_constant():
    lif = snn.Lapicque(R=5, C=1e-3, time_step=1e-3)
    _, mem_rec = run(lif, torch.zeros(5, 1), torch.full((1,), 0.9))
    assert mem_rec.flatten().tolist() == pytest.approx([0.9 * 0.8**t for t in range(1, 6)])


def test_a_higher_threshold_fires_less_and_a_larger_current_more():
    def count(current=0.3, **options):
        lif = snn.Lapicque(R=5, C=1e-3, time_step=1e-3, **options)
        return run(lif, stepped(current), torch.zeros(1))[0].sum().item()

    assert count(threshold=0.5) > count() > count(threshold=1.4)
    assert count(0.4) > count() > count(0.25)


def test_the_three_resets_differ_as_the_text_says():
    def fired(reset):
        lif = snn.Lapicque(R=5, C=1e-3, time_step=1e-3, threshold=0.5, reset_mechanism=reset)
        return run(lif, stepped(0.3), torch.zeros(1))

    subtract, zero, none = (fired(r) for r in ("subtract", "zero", "none"))
    assert subtract[0].sum() > zero[0].sum()
    assert zero[1][subtract[1].argmax() :].min() == 0
    assert none[1][-1] == pytest.approx(1.5, rel=1e-3)
    assert none[0][-50:].min() == 1


def test_the_membrane_follows_its_differential_equation():
    dt, tau, R, current = 1e-3, 5e-3, 5.0, 0.1
    _, mem = snn.Lapicque(R=R, C=tau / R, time_step=dt)(torch.tensor(current), torch.zeros(1))
    assert mem.item() == pytest.approx((1 - dt / tau) * 0 + dt / tau * current * R)


# Leaky and synaptic neurons.


def test_leaky_fires_twelve_times_with_zero_dimensional_currents():
    w, beta, num_steps = 0.21, 0.8, 200
    lif1 = snn.Leaky(beta=beta)
    cur_in = stepped(w)
    mem = torch.zeros(1)
    spk_rec, mem_rec = run(lif1, cur_in, mem)
    assert spk_rec.shape == (num_steps, 1)
    assert spk_rec.sum() == 12
    assert mem_rec.max().item() == pytest.approx(1.0044, abs=1e-4)


def test_synaptic_fires_twelve_times():
    alpha, beta, num_steps = 0.9, 0.8, 200
    lif1 = snn.Synaptic(alpha=alpha, beta=beta)
    w = 0.2
    spk_period = torch.cat((torch.ones(1) * w, torch.zeros(9)), 0)
    spk_in = spk_period.repeat(20)
    syn, mem = lif1.init_synaptic()
    spk_out = torch.zeros(1)
    syn_rec, mem_rec, spk_rec = [], [], []
    for step in range(num_steps):
        spk_out, syn, mem = lif1(spk_in[step], syn, mem)
        spk_rec.append(spk_out)
        syn_rec.append(syn)
        mem_rec.append(mem)
    assert torch.stack(spk_rec).sum() == 12


def test_the_decays_of_synapse_and_membrane():
    dt, tau_syn, tau_mem = 1e-3, 10e-3, 5e-3
    alpha, beta = math.exp(-dt / tau_syn), math.exp(-dt / tau_mem)
    lif = snn.Synaptic(alpha=alpha, beta=beta, reset_mechanism="none")
    x = torch.rand(5, 2)
    _, mem_rec = run(lif, x, torch.zeros(2), torch.zeros(2))
    i, u = torch.zeros(2), torch.zeros(2)
    for step in range(5):
        i = alpha * i + x[step]
        u = beta * u + i
    torch.testing.assert_close(mem_rec[-1], u)


@pytest.mark.parametrize("reset", ["subtract", "none"])
def test_without_a_synaptic_decay_it_is_the_leaky_neuron(reset):
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    leaky = run(snn.Leaky(beta=0.9, reset_mechanism=reset), x, torch.zeros(3))
    lif = snn.Synaptic(alpha=0.0, beta=0.9, reset_mechanism=reset)
    synaptic = run(lif, x, torch.zeros(3), torch.zeros(3))
    assert torch.equal(leaky[0], synaptic[0])
    assert torch.equal(leaky[1], synaptic[1])


# Surrogate gradients.


def test_the_default_surrogate_is_the_arc_tangent_without_one_over_pi():
    u = torch.tensor([0.0, 0.3, -0.8])
    for node in (snn.Leaky(0.9), snn.Alpha(0.9, 0.8), snn.SLSTM(1, 1)):
        x = (u + 1.0).requires_grad_()
        spikes = node.spike_grad(x - 1.0)
        (grad,) = torch.autograd.grad(spikes.sum(), x)
        torch.testing.assert_close(grad, 1 / (1 + (math.pi * (x.detach() - 1)) ** 2))


class LeakySurrogate(nn.Module):
    """The neuron of the text, with the name its backward forgets put right."""

    def __init__(self, beta, threshold=1.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold
        self.spike_gradient = self.ATan.apply

    def forward(self, input_, mem):
        spk = self.spike_gradient(mem - self.threshold)
        reset = (self.beta * spk * self.threshold).detach()
        mem = self.beta * mem + input_ - reset
        return spk, mem

    @staticmethod
    class ATan(torch.autograd.Function):
        @staticmethod
        def forward(ctx, mem):
            ctx.save_for_backward(mem)
            return (mem > 0).float()

        @staticmethod
        def backward(ctx, grad_output):
            (mem,) = ctx.saved_tensors
            return 1 / (1 + (torch.pi * mem).pow(2)) * grad_output


def test_the_neuron_written_out_is_a_soft_reset_of_a_step_ago():
    x = torch.rand(40, 5, generator=torch.Generator().manual_seed(1))
    written = run(LeakySurrogate(beta=0.9), x, torch.zeros(5))
    ready = run(snn.LeakySurrogate(beta=0.9), x, torch.zeros(5))
    torch.testing.assert_close(written[1], ready[1])
    assert torch.equal(written[0], ready[0])
    node = neuron.LIFNode(tau=10.0, decay_input=False, v_reset=None, step_mode="m")
    assert torch.equal(written[0][1:], node(x)[:-1])


def test_the_neuron_written_out_has_the_same_gradient():
    x = torch.rand(20, 5, generator=torch.Generator().manual_seed(2)).requires_grad_()
    grads = []
    for lif in (LeakySurrogate(beta=0.9), snn.LeakySurrogate(beta=0.9)):
        spk_rec, mem_rec = run(lif, x, torch.zeros(5))
        grads += torch.autograd.grad((spk_rec + mem_rec).sum(), x)
    torch.testing.assert_close(*grads)
    fused = snn.LeakySurrogate(beta=0.9, step_mode="m")
    spk_rec, mem_rec = fused(x)
    torch.testing.assert_close(*torch.autograd.grad((spk_rec + mem_rec).sum(), x), grads[0])
