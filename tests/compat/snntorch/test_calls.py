"""How neurons are called: which states fit, what is refused, and sequences."""

import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe import functional, neuron
from spikeframe.compat.snntorch import surrogate, utils


@pytest.mark.parametrize(
    ("x", "mem", "shape"),
    [
        ((), (1,), (1,)),
        ((3,), (2, 3), (2, 3)),
        ((2, 3), (), (2, 3)),
        ((2, 3), (3,), (2, 3)),
        ((2, 3), (2, 1), (2, 3)),
    ],
)
def test_states_that_fit(x, mem, shape):
    spk, out = snn.Leaky(0.5)(torch.full(x, 0.1), torch.ones(mem))
    assert spk.shape == out.shape == shape
    torch.testing.assert_close(out, torch.full(shape, 0.6))


@pytest.mark.parametrize(
    ("x", "mem"), [((2, 3), (5, 3)), ((2, 3), (4,)), ((1, 3), (2, 3)), ((3,), (2, 4)), ((), (0,))]
)
def test_states_that_do_not_fit(x, mem):
    with pytest.raises(ValueError, match="mem has shape .* which does not fit a step"):
        snn.Leaky(0.5)(torch.full(x, 0.1), torch.ones(mem))


def test_states_by_name_and_in_part():
    lif = snn.Synaptic(0.5, 0.5)
    x, one = torch.zeros(2), torch.ones(2)
    assert torch.equal(lif(x, mem=one)[2], lif(x, 0.0, one)[2])
    lif.reset_mem()
    _, syn, _ = lif(x, syn=one)
    assert syn.tolist() == [0.5, 0.5]
    with pytest.raises(TypeError, match="takes its input and syn, mem, got 3 states"):
        lif(x, one, one, one)
    with pytest.raises(TypeError, match="by name"):
        lif(x, one, syn=one)
    with pytest.raises(TypeError, match="mem must be a tensor, got str"):
        lif(x, mem="0")


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


def test_parallel_neurons_refuse_what_they_cannot_do():
    with pytest.raises(ValueError, match="weight_hh_enable=True"):
        snn.LeakyParallel(2, 2, weight_hh_enable=True)
    with pytest.raises(ValueError, match="kernel_truncation_steps"):
        snn.StateLeaky(0.9, 2, kernel_truncation_steps=3)
    with pytest.raises(ValueError, match="one value for each of the 3 channels"):
        snn.StateLeaky(torch.rand(2), 3)
    with pytest.raises(TypeError, match="needs beta"):
        snn.DeltaLeaky(1.0)


def test_parallel_neurons_decay_by_beta_and_drop():
    x = torch.rand(20, 2, 3)
    _, mem = snn.StateLeaky(0.7, 3)(x)
    lif = snn.Leaky(0.7, reset_mechanism="none", step_mode="m")
    torch.testing.assert_close(mem, lif(x)[1])
    layer = snn.LeakyParallel(3, 4, beta=torch.linspace(0.1, 0.9, 4), threshold=-9.0, dropout=0.5)
    assert set(layer(x).unique().tolist()) == {0.0, 2.0}
    assert layer.eval()(x).unique().tolist() == [1.0]


def test_old_modules_say_where_to_go():
    with pytest.raises(ImportError, match=r"use spikeframe.data.load_n_mnist \(or tonic.datasets"):
        snn.spikevision.NMNIST  # noqa: B018
    with pytest.raises(ImportError, match="spikeframe.data.load_events"):
        from spikeframe.compat.snntorch.spikevision import spikedata  # noqa: F401


def test_surrogates_by_factory_and_by_old_names():
    u = torch.linspace(-1, 1, 9, requires_grad=True)
    pairs = [
        (surrogate.fast_sigmoid(10), lambda x: surrogate.FastSigmoid.apply(x, 10)),
        (surrogate.atan(), surrogate.ATan.apply),
        (surrogate.straight_through_estimator(), surrogate.StraightThroughEstimator.apply),
    ]
    for factory, applied in pairs:
        grads = [torch.autograd.grad(f(u).sum(), u)[0] for f in (factory, applied)]
        assert torch.equal(*grads)
        assert factory(u)[4] == 0  # at the threshold it does not fire


def test_layers():
    norms = snn.BatchNormTT2d(3, time_steps=4)
    assert len(norms) == 4
    assert all(isinstance(n, nn.BatchNorm2d) and n.bias is None for n in norms)
    assert snn.BatchNormTT1d(3, 2)[1](torch.rand(5, 3)).shape == (5, 3)
    graded = snn.GradedSpikes(3, None)
    assert ((graded.weights >= 0.5) & (graded.weights <= 1.5)).all()


class Samples:
    def __init__(self, count):
        self.data, self.targets = torch.arange(count), list(range(count))

    def __len__(self):
        return len(self.data)


def test_parts_of_a_data_set():
    part = utils.data_subset(Samples(20), 5, idx=2)
    assert part.data.tolist() == part.targets == [8, 9, 10, 11]
    train, val = utils.valid_split(Samples(20), Samples(20), 0.25, seed=3)
    assert len(train) == 15
    assert sorted([*train.targets, *val.targets]) == list(range(20))
    assert val.data.tolist() == val.targets
    with pytest.raises(ValueError, match="split must be from 0 to 1"):
        utils.valid_split(Samples(2), Samples(2), 2.0)
    with pytest.raises(ValueError, match="idx must be from 0 to 4"):
        utils.data_subset(Samples(20), 5, idx=5)
