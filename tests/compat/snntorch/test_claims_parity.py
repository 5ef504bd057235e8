"""What docs/migrating-from-snntorch.md says of snnTorch's functions, shown on them and on ours."""

import copy
import gc
import pickle

import pytest
import torch
from snntorch_peer import peer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import spikeframe.compat.snntorch as snn
from spikeframe.compat.snntorch import backprop, spikegen, surrogate, utils
from spikeframe.compat.snntorch import functional as SF

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]


@pytest.fixture
def snntorch():
    return peer()


def hidden(package, depth=1):
    net = nn.Sequential(package.Leaky(0.9, init_hidden=True))
    for _ in range(depth - 1):
        net = nn.Sequential(net)
    return net


# States and nets.


def test_a_state_of_another_shape(snntorch):
    x, mem = torch.zeros(2, 3), torch.ones(5, 3)
    assert snntorch.Leaky(0.9)(x, mem)[1].abs().sum() == 0
    with pytest.raises(ValueError, match=r"mem has shape \[5, 3\], which does not fit"):
        snn.Leaky(0.9)(x, mem)
    lif = snn.Leaky(0.9, init_hidden=True)
    lif(torch.ones(5, 3))
    with pytest.raises(ValueError, match="reset_net"):
        lif(x)


def test_a_state_of_one_for_an_input_of_none(snntorch):
    x, mem = torch.tensor(0.5), torch.ones(1)
    assert snntorch.Leaky(0.5)(x, mem)[1].shape == ()
    assert snn.Leaky(0.5)(x, mem)[1].tolist() == [1.0]


def test_reset_finds_nested_neurons_and_those_of_the_net_alone(snntorch):
    x = torch.ones(2)
    theirs, foreign = hidden(snntorch, depth=2), hidden(snntorch)
    theirs(x), foreign(x)
    peer("snntorch.utils").reset(theirs)
    assert theirs[0][0].mem.sum() == 2
    peer("snntorch.utils").reset(nn.Sequential(snntorch.Leaky(0.9)))
    assert foreign[0].mem.sum() == 0
    ours, foreign = hidden(snn, depth=2), hidden(snn)
    ours(x), foreign(x)
    utils.reset(ours)
    assert ours[0][0].mem == 0.0
    assert foreign[0].mem.sum() == 2


def test_neurons_that_nobody_holds(snntorch):
    theirs, ours = len(snntorch.LIF.instances), len(snn.LIF.instances)
    snntorch.Leaky(0.9), snn.Leaky(0.9)
    gc.collect()
    assert len(snntorch.LIF.instances) == theirs + 1
    assert len(snn.LIF.instances) <= ours


def test_pickles_and_copies(snntorch):
    x = torch.ones(2, requires_grad=True)
    theirs, ours = (p.Leaky(0.9, init_hidden=True) for p in (snntorch, snn))
    theirs(x), ours(x)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(theirs)
    with pytest.raises(RuntimeError):
        copy.deepcopy(theirs)
    assert torch.equal(pickle.loads(pickle.dumps(ours)).mem, copy.deepcopy(ours).mem)


def test_spikes_have_the_inputs_type(snntorch):
    for dtype in (torch.float64, torch.bfloat16):
        x = torch.full((2,), 2.0, dtype=dtype)
        assert snntorch.Leaky(0.9)(x)[0].dtype == torch.float32
        assert snn.Leaky(0.9)(x)[0].dtype == dtype


def test_a_reset_chosen_later(snntorch):
    x = torch.full((1,), 3.0)
    results = []
    for package in (snntorch, snn):
        lif = package.Leaky(1.0)
        lif.reset_mechanism = "none"
        _, mem = lif(x, torch.zeros(1))
        results.append(lif(x, mem)[1].item())
    assert results == [5.0, 6.0]


def test_a_decay_beyond_one_comes_back(snntorch):
    grads = []
    for package in (snntorch, snn):
        lif = package.Leaky(1.0, learn_beta=True)
        with torch.no_grad():
            lif.beta.fill_(1.1)
        lif(torch.zeros(1), torch.full((1,), 0.5))[1].sum().backward()
        grads.append(lif.beta.grad.item())
    assert grads == [0.0, 0.5]


def test_two_layers_of_one_tensor(snntorch):
    for package, tied in ((snntorch, True), (snn, False)):
        beta = torch.tensor([0.5, 0.9])
        first, second = (package.Leaky(beta, learn_beta=True) for _ in range(2))
        with torch.no_grad():
            first.beta.fill_(0.0)
        assert bool((second.beta == 0).all()) is tied


def test_a_delta_neuron_stands_in_a_sequential(snntorch):
    net = nn.Sequential(snntorch.DeltaLeaky(1.0, beta=0.9, init_hidden=True), nn.Linear(2, 2))
    with pytest.raises(TypeError):
        net(torch.ones(1, 2))
    net = nn.Sequential(snn.DeltaLeaky(1.0, beta=0.9, init_hidden=True), nn.Linear(2, 2))
    assert net(torch.ones(1, 2)).shape == (1, 2)


def test_an_alpha_neuron_learns_alpha(snntorch):
    with pytest.raises(TypeError):
        snntorch.Alpha(0.9, 0.8, learn_alpha=True)
    node = snn.Alpha(0.9, 0.8, learn_alpha=True)
    node(torch.ones(1))
    _, _, _, mem = node(torch.ones(1))
    mem.sum().backward()
    assert node.alpha.grad.abs() > 0


def test_an_integer_threshold_learns(snntorch):
    with pytest.raises(RuntimeError):
        snntorch.Leaky(0.9, threshold=1, learn_threshold=True)
    assert snn.Leaky(0.9, threshold=1, learn_threshold=True).threshold == 1.0


# Encoders and codes of labels.


def test_gain_of_an_input_that_changes(snntorch):
    theirs, x = peer("snntorch.spikegen"), torch.ones(50, 4)
    assert theirs.rate(x, time_var_input=True, gain=0.0).mean() == 1
    assert spikegen.rate(x, time_var_input=True, gain=0.0).mean() == 0


def test_latencies_in_double_precision(snntorch):
    x = torch.ones(2, dtype=torch.float64)
    assert peer("snntorch.spikegen").latency(x, 3).dtype == torch.float32
    assert spikegen.latency(x, 3).dtype == torch.float64


def test_a_clipped_value_does_not_need_steps(snntorch):
    x = torch.tensor([0.0, 1.0])
    with pytest.raises(Exception, match="out of bounds"):
        peer("snntorch.spikegen").latency(x, 3, clip=True)
    assert spikegen.latency(x, 3, clip=True).sum(0).tolist() == [0, 1]
    ramps = {"num_steps": 6, "tau": 0.2, "clip": True, "interpolate": True}
    assert peer("snntorch.spikegen").latency(x, **ramps).amax(0).tolist() == [1, 1]
    assert spikegen.latency(x, **ramps).amax(0).tolist() == [0, 1]


def test_the_last_spike_of_a_rate_comes_in_time(snntorch):
    with pytest.raises(RuntimeError, match="out of bounds"):
        peer("snntorch.spikegen").target_rate_code(20, rate=0.65)
    assert spikegen.target_rate_code(20, rate=0.65)[0].sum() == 13


def test_rates_of_labels(snntorch):
    theirs, labels = peer("snntorch.spikegen"), torch.tensor([0, 1])
    with pytest.raises(RuntimeError):
        theirs.targets_rate(labels, 3, num_steps=5, correct_rate=0.5)
    assert theirs.targets_rate(labels, 5, num_steps=5, correct_rate=0.5).dim() == 5
    own = spikegen.targets_rate(labels, 3, num_steps=5, correct_rate=0.5)
    assert own.shape == (5, 2, 3)
    assert own[:, 0, 0].tolist() == [1, 0, 1, 0, 1]


def test_labels_by_latency_keep_their_arguments(snntorch):
    options = {"code": "latency", "num_steps": 3, "normalize": True, "on_target": 3}
    labels = torch.tensor([0])
    assert peer("snntorch.spikegen").targets_convert(labels, 2, **options).max() == 1
    assert spikegen.targets_convert(labels, 2, **options).max() == 3


def test_a_negative_value_where_there_is_no_spike(snntorch):
    labels = torch.tensor([0])
    theirs = peer("snntorch.spikegen").targets_rate(labels, 2, on_target=1, off_target=-1)
    assert theirs.tolist() == [[1, 0]]
    assert spikegen.targets_rate(labels, 2, on_target=1, off_target=-1).tolist() == [[1, -1]]


def test_labels_of_rows(snntorch):
    rows = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert peer("snntorch.spikegen").from_one_hot(rows).tolist() == [0, 1]
    assert spikegen.from_one_hot(rows).tolist() == [1, 0]


def test_what_is_refused_at_once(snntorch):
    theirs = peer("snntorch.spikegen")
    assert theirs.rate(torch.tensor([2.0]), 3).sum() == 3
    with pytest.raises(ValueError, match="rate takes values within"):
        spikegen.rate(torch.tensor([2.0]), 3)
    assert theirs.delta(torch.zeros(3), threshold=0).sum() == 3
    with pytest.raises(ValueError, match="threshold must be"):
        spikegen.delta(torch.zeros(3), threshold=0)
    labels = torch.tensor([0])
    assert theirs.targets_rate(labels, 2, num_steps=3, first_spike_time=-1) is None
    with pytest.raises(ValueError, match="first_spike_time from 0"):
        spikegen.targets_rate(labels, 2, num_steps=3, first_spike_time=-1)


# Surrogate gradients.


def gradient(function, *values):
    u = torch.tensor(values, requires_grad=True)
    function(u).sum().backward()
    return u.grad.tolist()


def test_surrogates(snntorch):
    theirs = peer("snntorch.surrogate")
    assert torch.tensor(gradient(theirs.sigmoid(25), -4.0)).isnan().all()
    assert gradient(surrogate.sigmoid(25), -4.0) == [0.0]
    assert gradient(theirs.triangular(), -3.0, 0.5) == [1.0, -1.0]
    assert gradient(surrogate.triangular(), -3.0, 0.5) == [0.0, 0.5]
    with pytest.raises(TypeError):
        gradient(theirs.LSO(), -1.0)
    assert gradient(surrogate.LSO(0.1), -1.0, 1.0) == pytest.approx([0.1, 1.0])
    assert gradient(theirs.SFS(1, 0.5), 0.1, 2.0)[0] == 0
    assert gradient(surrogate.SFS(1, 0.5), 0.1, 2.0)[1] == 0
    low, high = gradient(theirs.spike_rate_escape(), 0.0, 1.0)
    assert low < high
    low, high = gradient(surrogate.spike_rate_escape(), 1.0, 0.0)
    assert low < high


# Losses.

X = torch.zeros(4, 3, 2)
Y = torch.tensor([0, 1, 1])


def test_a_population_code_at_every_step(snntorch):
    options = {"population_code": True, "num_classes": 2}
    x = torch.zeros(4, 3, 6)
    with pytest.raises(TypeError):
        peer("snntorch.functional").ce_rate_loss(**options)(x, Y)
    assert SF.ce_rate_loss(**options)(x, Y).item() == pytest.approx(0.6931, abs=1e-4)


def test_weights_of_distances(snntorch):
    weight = torch.tensor([1.0, 2.0])
    for name in ("mse_count_loss", "mse_temporal_loss", "mse_membrane_loss"):
        with pytest.raises(RuntimeError):
            getattr(peer("snntorch.functional"), name)(weight=weight)(X, Y)
        assert getattr(SF, name)(weight=weight)(X, Y).shape == ()


def test_labels_that_change(snntorch):
    labels = torch.zeros(4, 3, dtype=torch.long)
    with pytest.raises((IndexError, RuntimeError)):
        peer("snntorch.functional").mse_membrane_loss(time_var_targets=True)(X, labels)
    assert SF.mse_membrane_loss(time_var_targets=True)(X, labels) == 0.5


def test_a_rate_loss_is_a_number(snntorch):
    assert peer("snntorch.functional").ce_rate_loss()(X, Y).shape == (1,)
    assert SF.ce_rate_loss()(X, Y).shape == ()


def test_when_the_wrong_classes_are_to_fire(snntorch):
    _, theirs = peer("snntorch.functional.loss").SpikeTime()(X, Y)
    assert theirs.tolist() == [[0, 0]] * 3
    _, ours = SF.SpikeTime()(X, Y)
    assert ours.tolist() == [[0, 3], [3, 0], [3, 0]]


def test_second_spikes_of_several_neurons(snntorch):
    x = torch.zeros(4, 1, 2)
    x[[0, 1, 2], 0, [0, 1, 1]] = 1
    x[1, 0, 0] = 1  # neuron 0 at 0 and 1, neuron 1 at 1 and 2
    times = torch.zeros(2, 1, 2)
    options = {"target_is_time": True, "multi_spike": True}
    theirs, _ = peer("snntorch.functional.loss").SpikeTime(**options)(x, times.clone())
    assert theirs[1].tolist() == [[3, 2]]
    ours, _ = SF.SpikeTime(**options)(x, times)
    assert ours[1].tolist() == [[1, 2]]


def test_wanted_times_are_left_alone(snntorch):
    for module, changed in ((peer("snntorch.functional.loss"), True), (SF, False)):
        times = torch.full((3, 2), -1.0)
        module.SpikeTime(target_is_time=True)(X, times)
        assert bool((times == 3).all()) is changed


def test_attributes_before_a_call_and_resets_of_learners(snntorch):
    theirs = peer("snntorch.functional.probe")
    for probe, package, fails in ((theirs, snntorch, True), (SF.probe, snn, False)):
        lif = package.Leaky(0.9, init_hidden=True)
        monitor = probe.AttributeMonitor("mem", True, lif, package.Leaky)
        if fails:
            with pytest.raises(TypeError):
                lif(torch.ones(2))
        else:
            lif(torch.ones(2))
            lif(torch.ones(2))
            assert monitor.records[1].tolist() == [1, 1]
    learner = peer("snntorch.functional.stdp_learner").STDPLearner
    with pytest.raises(AttributeError):
        learner(nn.Linear(2, 2), snntorch.Leaky(0.9), 2.0, 2.0).reset()
    SF.STDPLearner(nn.Linear(2, 2), snn.Leaky(0.9), 2.0, 2.0).reset()


# Loops.


def loop(package, loops, steps, K):
    # A neuron of snnTorch whose constructor failed stays on its list, and fails every reset.
    peer().SpikingNeuron.instances.clear()
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(3, 4),
        package.Synaptic(0.9, 0.8, init_hidden=True),
        nn.Linear(4, 2),
        package.Leaky(0.9, init_hidden=True, output=True),
    )
    data = DataLoader(TensorDataset(torch.rand(8, 3), torch.zeros(8, dtype=torch.long)), 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    criterion = (SF if package is snn else peer("snntorch.functional")).ce_rate_loss()
    arguments = (net, data, optimizer, criterion, steps, False)
    return loops.TBPTT(*arguments, K=K).item()


def test_a_net_of_two_kinds_of_neurons(snntorch):
    with pytest.raises(RuntimeError):
        loop(snntorch, peer("snntorch.backprop"), 4, 2)
    assert loop(snn, backprop, 4, 2) == pytest.approx(loop(snn, backprop, 4, 4), abs=1e-6)


def test_a_last_chunk_that_is_shorter(snntorch):
    assert loop(snn, backprop, 5, 2) == pytest.approx(loop(snn, backprop, 5, 5), abs=1e-6)
