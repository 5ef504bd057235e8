"""Live neurons and nets of snnTorch, converted: equal spikes, or the setting that has none."""

import importlib.util
from pathlib import Path

import pytest
import torch
from cases import sequence
from torch import nn

from spikeframe import functional, neuron, surrogate

SPEC = importlib.util.spec_from_file_location(
    "snntorch_family", Path(__file__).parent / "snntorch_family.py"
)
family = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(family)

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]


@pytest.fixture
def snn():
    return pytest.importorskip("snntorch", reason="snntorch is not installed (make parity)")


def spikes_of(theirs, x_seq, states):
    spikes = []
    for x in x_seq:
        spike, *states = theirs(x, *states)
        states = [spike, *states] if type(theirs).__name__.startswith("R") else states
        spikes.append(spike)
    return torch.stack(spikes)


def gradient(spikes, x_seq):
    """Of a weighted sum of the spikes."""
    weights = sequence(tuple(spikes.shape[1:]), len(spikes), seed=1)
    return torch.autograd.grad((spikes * weights).sum(), x_seq)[0]


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("name", family.KINDS)
def test_neurons_of_every_setting_keep_their_spikes(snn, name, seed):
    kind, n_states, _ = family.KINDS[name]
    torch.manual_seed(seed)
    given = family.arguments(name, seed)
    if "spike" in given:
        factory = given.pop("spike")
        given["spike_grad"] = getattr(snn.surrogate, factory)(**family.SPIKES[factory][0])
    theirs = getattr(snn, kind)(**given)
    gain = family.peer_trace(name, seed)["gain"].item()
    x_seq, _ = family.inputs(name, seed, gain)
    ours = neuron.from_snntorch(theirs)
    assert type(ours) is getattr(neuron, kind)
    expected = spikes_of(theirs, x_seq, [torch.zeros_like(x_seq[0])] * n_states).detach()
    assert torch.equal(torch.stack([ours(x) for x in x_seq]), expected)
    learned = {n: p for n, p in theirs.named_parameters() if n != "recurrent.V"}
    assert {n for n, _ in ours.named_parameters()} == learned.keys()
    for key, parameter in ours.named_parameters():
        assert torch.equal(parameter, learned[key])
        assert parameter is not learned[key]
        assert parameter.requires_grad == learned[key].requires_grad


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_lstm_cells_keep_their_spikes(snn, reset):
    torch.manual_seed(0)
    pairs = [
        (snn.SLSTM(4, 4, threshold=0.1, reset_mechanism=reset), (3, 4), (3, 4)),
        (
            snn.SConv2dLSTM(2, 3, 3, max_pool=2, threshold=0.1, reset_mechanism=reset),
            *((2, 2, 4, 4), (2, 3, 4, 4)),
        ),
        (snn.SConv2dLSTM(2, 3, 3, avg_pool=2, threshold=0.03), (2, 2, 4, 4), (2, 3, 4, 4)),
    ]
    for theirs, size, state in pairs:
        x_seq = (6 * sequence(size)).requires_grad_()
        expected = spikes_of(theirs, x_seq, [torch.zeros(state)] * 2)
        ours = neuron.from_snntorch(theirs)
        ours.step_mode = "m"
        spikes = ours(x_seq)
        assert torch.equal(spikes, expected)
        assert 0.05 < expected.mean() < 0.9
        wanted = gradient(expected, x_seq)
        assert torch.allclose(gradient(spikes, x_seq), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_neurons_without_reset_keep_their_spikes(snn, learn, many):
    torch.manual_seed(0)
    stateleaky = importlib.import_module("snntorch._neurons.stateleaky").StateLeaky
    linearleaky = importlib.import_module("snntorch._neurons.linearleaky").LinearLeaky
    beta = torch.tensor([0.5, 0.6, 0.7, 0.8]) if many else 0.7
    x_seq = sequence((3, 4), 40).requires_grad_()
    kept = {"learn_beta": learn, "threshold": 2.5, "graded_spikes_factor": 1.5}
    linear = linearleaky(beta, 4, 4, **kept)
    with torch.no_grad():
        linear.linear.weight += 0.3
    for theirs in (stateleaky(beta, 4, **kept), linear):
        expected, membranes = theirs(x_seq)
        ours = neuron.from_snntorch(theirs)
        ours.store_v_seq = True
        spikes = ours(x_seq)
        assert torch.allclose(ours.mem_seq, membranes, atol=1e-5)
        wanted = gradient(expected, x_seq)
        assert torch.allclose(gradient(spikes, x_seq), wanted, rtol=1e-4, atol=1e-4)
        away = (membranes - 2.5).abs() > 1e-4
        assert torch.equal(spikes[away], expected[away])
        assert 0.05 < (expected != 0).float().mean() < 0.9
        assert ("beta_log_rate" in dict(ours.named_parameters())) == learn


def test_a_parallel_layer_keeps_its_spikes(snn):
    torch.manual_seed(0)
    theirs = snn.LeakyParallel(4, 5, beta=0.7, threshold=0.8, learn_beta=True)
    x_seq = (2 * sequence((3, 4), 40)).requires_grad_()
    expected = theirs(x_seq)
    ours = neuron.from_snntorch(theirs)
    spikes = ours(x_seq)
    assert torch.equal(spikes, expected)
    wanted = gradient(expected, x_seq)
    assert torch.allclose(gradient(spikes, x_seq), wanted, rtol=1e-4, atol=1e-4)
    assert 0.05 < expected.mean() < 0.9
    assert ours.beta.shape == (5,)
    assert ours.beta.requires_grad


def test_a_neuron_of_changes_keeps_its_spikes(snn):
    delta = importlib.import_module("snntorch._neurons.deltaleaky").DeltaLeaky
    theirs = delta(0.4, 0.8, init_hidden=True)
    x_seq = 1.5 * sequence((3, 4), 40)
    expected = torch.stack([theirs(x)[0] for x in x_seq])
    ours = neuron.from_snntorch(theirs)
    assert torch.equal(torch.stack([ours(x) for x in x_seq]), expected)
    assert 0.05 < expected.mean() < 0.9


class Net(nn.Module):
    def __init__(self, snn):
        super().__init__()
        beta = torch.rand(5)
        self.one = snn.Leaky(beta, learn_beta=True, init_hidden=True)
        self.body = nn.Sequential(nn.Linear(4, 5), self.one, nn.Dropout(0.5), nn.Linear(5, 3))
        self.last = snn.Synaptic(0.5, 0.7, 0.2, init_hidden=True, reset_mechanism="zero")
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x):
        return self.last(self.body(self.scale * x))


def test_a_net_keeps_its_spikes_and_shares_nothing(snn):
    torch.manual_seed(0)
    theirs = Net(snn).eval()
    x_seq = 6 * sequence((8, 4), 30)
    ours = neuron.from_snntorch(theirs)
    assert type(ours) is Net
    assert ours.one is ours.body[1]
    assert not ours.training
    expected = torch.stack([theirs(x) for x in x_seq])
    assert 0.05 < expected.mean() < 0.9
    assert torch.equal(torch.stack([ours(x) for x in x_seq]), expected)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    theirs_too = {p.data_ptr() for p in theirs.parameters()}
    assert not theirs_too & {p.data_ptr() for p in ours.parameters()}
    functional.reset_net(ours)
    assert torch.equal(torch.stack([ours(x) for x in x_seq]), expected)


def test_surrogates_become_ours_or_stay(snn):
    from snntorch import surrogate as theirs

    def convert(function):
        return neuron.from_snntorch(snn.Leaky(0.5, spike_grad=function)).surrogate_function

    assert repr(convert(theirs.fast_sigmoid(slope=10))) == repr(
        surrogate.FastSigmoid(10, strict=True)
    )
    assert repr(convert(theirs.sigmoid())) == repr(surrogate.Sigmoid(25, strict=True))
    assert repr(convert(theirs.atan(3.0))) == repr(surrogate.ATan(3.0, strict=True))
    through = convert(theirs.straight_through_estimator())
    assert repr(through) == repr(surrogate.StraightThroughEstimator(strict=True))
    for kept in (theirs.triangular(), theirs.SSO(), theirs.SFS()):
        assert convert(kept) is kept
    disabled = neuron.from_snntorch(snn.Leaky(0.5, surrogate_disable=True))
    assert disabled(torch.tensor([2.0])).item() == 1.0


def test_what_has_no_counterpart_is_named(snn):
    associative = importlib.import_module("snntorch._neurons.associative").AssociativeLeaky
    stateleaky = importlib.import_module("snntorch._neurons.stateleaky").StateLeaky
    cases = [
        (snn.Leaky(0.5, inhibition=True), "Leaky has no counterpart with inhibition=True: it res"),
        (snn.RSynaptic(0.5, 0.5, linear_features=3, reset_delay=False), "with reset_delay=False"),
        (snn.SLSTM(3, 4), "with input_size other than hidden_size: it forgets"),
        (snn.Lapicque(torch.tensor(0.5), learn_beta=True), "with learn_beta=True: its beta is"),
        (stateleaky(0.5, 3, kernel_truncation_steps=4), "with kernel_truncation_steps"),
        (stateleaky(0.5, 3, output=False), "with output=False"),
        (snn.LeakyParallel(3, 4, weight_hh_enable=True), "with weight_hh_enable=True"),
        (associative(3, 2, 2, 4), "AssociativeLeaky has no counterpart"),
        (snn.Leaky(1.5), r"Leaky has no counterpart: beta must be in \[0, 1\]"),
        (
            nn.Sequential(nn.Linear(3, 3), nn.Sequential(snn.Leaky(0.5))),
            r"1.0 \(Leaky\) has init_hidden=False",
        ),
    ]
    for module, text in cases:
        with pytest.raises(ValueError, match=text):
            neuron.from_snntorch(module)

    class Mine(snn.Leaky):
        pass

    with pytest.raises(TypeError, match="Mine is a subclass of snnTorch's Leaky"):
        neuron.from_snntorch(nn.Sequential(Mine(0.5)))
    with pytest.raises(TypeError, match="takes a module, got str"):
        neuron.from_snntorch("Leaky")
    with pytest.warns(UserWarning, match="Leaky has reset_delay=False: its spikes are equal unl"):
        neuron.from_snntorch(snn.Leaky(0.5, reset_delay=False))


def test_a_reset_mechanism_assigned_later_has_no_effect_there(snn):
    theirs = snn.Leaky(0.5, reset_mechanism="zero")
    theirs.reset_mechanism = "none"
    assert neuron.from_snntorch(theirs).reset_mechanism == "zero"
