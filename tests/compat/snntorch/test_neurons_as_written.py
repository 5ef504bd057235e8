"""What texts about snnTorch say of its neurons, statement by statement, import changed."""

import copy
import gc
import pickle

import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn

SEVEN = {
    "Leaky": {"beta": 0.85},
    "RLeaky": {"beta": 0.85, "all_to_all": False},
    "Synaptic": {"alpha": 0.9, "beta": 0.85},
    "RSynaptic": {"alpha": 0.9, "beta": 0.85, "all_to_all": False},
    "Lapicque": {"beta": 0.85},
    "Alpha": {"alpha": 0.9, "beta": 0.85},
}
LSTMS = {
    "SLSTM": ({"input_size": 4, "hidden_size": 3}, (2, 4)),
    "SConv2dLSTM": ({"in_channels": 1, "out_channels": 2, "kernel_size": 3}, (2, 1, 5, 5)),
}
every_neuron = pytest.mark.parametrize("name", SEVEN)


def make(name, **options):
    return getattr(snn, name)(**SEVEN[name], **options)


# Neurons are layers.


@every_neuron
def test_a_neuron_is_one_more_activation_after_any_layer(name):
    node = make(name, init_hidden=True)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), node, nn.Flatten(), nn.Linear(32, 4))
    assert net(torch.rand(3, 1, 6, 6)).shape == (3, 4)


@every_neuron
def test_a_neuron_stands_in_a_residual_block(name):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif = nn.Linear(4, 4), make(name, init_hidden=True)

        def forward(self, x):
            return x + self.lif(self.fc(x))

    block = Block()
    out = [block(torch.rand(2, 4)) for _ in range(3)]
    torch.stack(out).sum().backward()
    assert block.fc.weight.grad.abs().sum() > 0


def test_states_are_one_tensor_and_no_trace():
    lif = snn.Leaky(beta=0.9, init_hidden=True)
    for _ in range(10):
        lif(torch.rand(2, 4))
    assert lif.mem.shape == (2, 4)
    assert lif.mem_seq is None


def test_the_heaviside_fires_above_the_threshold_only():
    u = torch.tensor([-0.5, 0.0, 0.5], requires_grad=True)
    for heaviside in (snn.neurons.Heaviside, snn.LIF.Heaviside, snn.Leaky.Heaviside):
        spikes = heaviside.apply(u)
        (grad,) = torch.autograd.grad(spikes.sum(), u)
        assert spikes.tolist() == [0, 0, 1]
        assert grad.tolist() == [0, 0, 1]


def test_the_seven_neurons_and_the_two_lstms_run():
    for name in SEVEN:
        assert make(name, init_hidden=True)(torch.rand(2, 4)).shape == (2, 4)
    assert snn.LeakyParallel(4, 3)(torch.rand(5, 2, 4)).shape == (5, 2, 3)
    for name, (sizes, shape) in LSTMS.items():
        node = getattr(snn, name)(**sizes, init_hidden=True)
        assert node(torch.rand(shape)).shape[0] == 2


@pytest.mark.parametrize("name", ["RLeaky", "RSynaptic"])
@pytest.mark.parametrize("argument", ["learn_V", "learn_recurrent"])
def test_recurrent_neurons_learn_their_feedback_under_both_names(name, argument):
    node = make(name, V=0.5, **{argument: True})
    assert isinstance(node.V, nn.Parameter)
    assert not isinstance(make(name, V=0.5, **{argument: False}).V, nn.Parameter)
    states = node.reset_mem()
    spk = torch.ones(3)
    out = node(torch.zeros(3), spk, *states[1:])
    assert torch.allclose(out[-1], torch.full((3,), 0.5))


@every_neuron
def test_every_argument_is_taken_by_every_neuron(name):
    with_all = make(
        name,
        threshold=0.7,
        spike_grad=lambda u: (u > 0).float(),
        init_hidden=True,
        inhibition=True,
        learn_beta=True,
        learn_threshold=True,
        reset_mechanism="zero",
        output=True,
    )
    spk, *_, mem = with_all(torch.full((2, 3), 2.0))
    assert spk.sum(1).max() <= 1
    assert mem.shape == (2, 3)
    assert {"beta", "threshold"} <= {n for n, _ in with_all.named_parameters()}


@every_neuron
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_the_three_resets(name, reset):
    node = make(name, init_hidden=True, reset_mechanism=reset)
    spikes = torch.stack([node(torch.full((1, 3), 2.0)) for _ in range(8)])
    assert spikes.sum() > 0
    assert node.reset_mechanism == reset
    with pytest.raises(ValueError, match="'subtract', 'zero' or 'none', got 'hard'"):
        make(name, reset_mechanism="hard")


@every_neuron
def test_inhibition_lets_the_winner_fire_alone_and_takes_a_batch_size(name):
    node = make(name, init_hidden=True, inhibition=True, batch_size=2, reset_mechanism="none")
    x = torch.tensor([[30.0, 50.0, 40.0], [60.0, 20.0, 10.0]])
    node(x)
    assert node(x).tolist() == [[0, 1, 0], [1, 0, 0]]


# How they are called.


def test_the_notebook_runs_as_written():
    alpha, beta, num_steps = 0.9, 0.85, 100
    lif1, lif2 = snn.Leaky(beta=beta), snn.Synaptic(alpha=alpha, beta=beta)
    mem1 = lif1.init_leaky()
    syn2, mem2 = lif2.init_synaptic()
    spk2_rec = []
    for _ in range(num_steps):
        spk1, mem1 = lif1(torch.full((4, 3), 0.3), mem1)
        spk2, syn2, mem2 = lif2(spk1, syn2, mem2)
        spk2_rec.append(spk2)
    assert torch.stack(spk2_rec).shape == (num_steps, 4, 3)
    assert torch.stack(spk2_rec).sum() > 0


def test_init_synaptic_takes_no_sizes_and_the_old_ones():
    batch_size, num_hidden = 5, 7
    lif = snn.Synaptic(alpha=0.9, beta=0.85)
    spk1, syn1, mem1 = lif.init_synaptic(batch_size, num_hidden)
    assert spk1.shape == syn1.shape == mem1.shape == (batch_size, num_hidden)
    syn, mem = lif.init_synaptic()
    _, syn, mem = lif(torch.rand(batch_size, num_hidden), syn, mem)
    assert mem.shape == (batch_size, num_hidden)
    for init, count in (("leaky", 1), ("lapicque", 1), ("alpha", 3), ("rleaky", 2)):
        name = {"rleaky": "RLeaky"}.get(init, init.capitalize())
        node = make(name)
        states = getattr(node, f"init_{init}")()
        assert (len(states) if isinstance(states, tuple) else 1) == count
        assert all(s.shape == (2, 3) for s in getattr(node, f"init_{init}")(2, 3))


def test_an_explicit_loop_stacks_its_outputs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(6, 4)
            self.lif = snn.Synaptic(alpha=0.9, beta=0.85)

        def forward(self, x):
            syn, mem = self.lif.init_synaptic()
            spk_rec, mem_rec = [], []
            for step in range(x.size(0)):
                cur = self.fc(x[step])
                spk, syn, mem = self.lif(cur, syn, mem)
                spk_rec.append(spk)
                mem_rec.append(mem)
            return torch.stack(spk_rec), torch.stack(mem_rec)

    net = Net()
    for _ in range(3):
        spk_rec, mem_rec = net(torch.rand(10, 2, 6))
        assert spk_rec.shape == mem_rec.shape == (10, 2, 4)
        mem_rec.sum().backward()


@every_neuron
def test_init_hidden_returns_spikes_and_output_the_states_too(name):
    x = torch.rand(2, 3)
    assert isinstance(make(name, init_hidden=True)(x), torch.Tensor)
    explicit = make(name)(x)
    hidden = make(name, init_hidden=True, output=True)(x)
    assert len(explicit) == len(hidden)
    assert all(torch.equal(a, b) for a, b in zip(explicit, hidden, strict=True))


def test_a_backward_before_the_last_step():
    lif = snn.Leaky(beta=0.9, init_hidden=True, output=True)
    fc = nn.Linear(3, 3)
    for _ in range(5):
        _, mem = lif(fc(torch.rand(2, 3)))
        mem.sum().backward()
        lif.detach_hidden()
    assert fc.weight.grad.abs().sum() > 0


def test_a_sequential_with_the_loop_outside():
    device = torch.device("cpu")
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 16),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(16, 10),
        snn.Leaky(beta=0.5, init_hidden=True, output=True),
    ).to(device)
    data = torch.rand(4, 1, 28, 28)
    spk_rec, mem_rec = [], []
    for _ in range(5):
        spk, mem = net(data)
        spk_rec.append(spk)
        mem_rec.append(mem)
    assert torch.stack(spk_rec).shape == torch.stack(mem_rec).shape == (5, 4, 10)
    assert not net.to(torch.float64)[2].mem.dtype.is_complex


def test_detach_and_reset_reach_one_neuron_or_all_of_a_class():
    first, second, other = (snn.Leaky(0.9, init_hidden=True) for _ in range(3))
    foreign = snn.Synaptic(0.9, 0.8, init_hidden=True)
    x = torch.rand(2, requires_grad=True)
    for node in (first, second, other, foreign):
        node(x)
    first.detach_hidden()
    assert first.mem.grad_fn is None
    assert second.mem.grad_fn is not None
    snn.Leaky.detach_hidden()
    assert second.mem.grad_fn is None
    assert foreign.mem.grad_fn is not None
    first.reset_hidden()
    assert first.mem == 0.0
    assert isinstance(second.mem, torch.Tensor)
    snn.Leaky.reset_hidden()
    assert second.mem == 0.0
    assert isinstance(foreign.mem, torch.Tensor)


def test_every_layer_learns_a_decay_of_its_own():
    lif1, lif2 = snn.Leaky(beta=0.9, learn_beta=True), snn.Leaky(beta=0.5, learn_beta=True)
    _, mem = lif1(torch.ones(3), torch.ones(3))
    _, mem = lif2(mem, torch.ones(3))
    mem.sum().backward()
    assert lif1.beta.grad.item() == pytest.approx(3)
    assert lif2.beta.grad.item() == pytest.approx(3)
    assert [lif1.beta.item(), lif2.beta.item()] == pytest.approx([0.9, 0.5])


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_every_neuron_has_a_decay_of_its_own(step_mode):
    num_hidden = 6
    beta = torch.rand(num_hidden)
    lif = snn.Leaky(beta=beta, learn_beta=True, step_mode=step_mode)
    assert lif.beta.shape == (num_hidden,)
    x = torch.rand(4, 2, num_hidden)
    if step_mode == "m":
        _, mem = lif(x)
    else:
        mem = lif.init_leaky()
        for step in x:
            _, mem = lif(step, mem)
    mem.sum().backward()
    assert lif.beta.grad.shape == (num_hidden,)
    assert lif.beta.grad.min() > 0


# The registry.


def test_the_registry_lists_the_living():
    gc.collect()
    before = len(snn.LIF.instances)
    lif = snn.Leaky(beta=0.9)
    assert lif in snn.LIF.instances
    assert lif is snn.LIF.instances[-1]
    assert len(snn.SpikingNeuron.instances) == before + 1
    del lif
    gc.collect()
    assert len(snn.LIF.instances) == before


def test_a_neuron_is_pickled_and_copied_after_a_step():
    lif = snn.Leaky(beta=0.9, init_hidden=True, learn_beta=True)
    lif(torch.rand(3, requires_grad=True))
    for other in (pickle.loads(pickle.dumps(lif)), copy.deepcopy(lif)):
        assert torch.equal(other.mem, lif.mem)


def test_surrogate_disable_stops_the_gradient():
    x = torch.full((2,), 2.0, requires_grad=True)
    spk, _ = snn.Leaky(beta=0.9, surrogate_disable=True)(x)
    assert spk.tolist() == [1, 1]
    assert not spk.requires_grad
