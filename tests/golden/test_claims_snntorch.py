"""What docs/peers.md says of snnTorch's neurons, shown on them and on ours."""

import importlib
import pickle

import pytest
import torch

from spikeframe import neuron

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]


@pytest.fixture
def snn():
    return pytest.importorskip("snntorch", reason="snntorch is not installed (make parity)")


def spikes_of(node, inputs):
    mem, spikes = torch.zeros(1), []
    for x in inputs:
        spike, mem = node(torch.tensor([x]), mem)
        spikes.append(spike.item())
    return spikes


def test_strong_input_without_delay(snn):
    inputs = (2.5, 0.0, 0.0, 0.0)
    assert spikes_of(snn.Leaky(0.9, reset_delay=False), inputs) == [1, 0, 0, 0]
    ours = neuron.Leaky(0.9, reset_delay=False)
    assert [ours(torch.tensor([x])).item() for x in inputs] == [1, 1, 0, 0]
    theirs = snn.RSynaptic(0.5, 0.9, linear_features=1, init_hidden=True, reset_delay=False)
    with pytest.raises(TypeError):
        theirs(torch.ones(1, 1))


def test_the_winner_takes_all(snn):
    x = torch.tensor([[1.5, 1.2]])
    theirs, ours = snn.Leaky(1.0, inhibition=True), neuron.Leaky(1.0, inhibition=True)
    spike, mem = theirs(x, torch.zeros(1, 2))
    assert spike.tolist() == ours(x).tolist() == [[1.0, 0.0]]
    _, mem = theirs(torch.zeros(1, 2), mem)
    ours(torch.zeros(1, 2))
    assert mem.tolist()[0] == pytest.approx([0.5, 0.2])  # reset without a spike
    assert ours.mem.tolist()[0] == pytest.approx([0.5, 1.2])
    with pytest.raises(IndexError):
        theirs(torch.ones(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))
    ours.reset()
    assert ours(torch.ones(2, 3, 4, 4)).shape == (2, 3, 4, 4)


def test_an_lstm_cell_of_two_sizes(snn):
    x = torch.ones(2, 3)
    theirs, ours = snn.SLSTM(3, 4), neuron.SLSTM(3, 4)
    _, syn, mem = theirs(x, torch.zeros(2, 4), torch.zeros(2, 4))
    _, again, _ = theirs(x, syn, mem)
    assert torch.equal(syn, again)
    ours(x)
    syn = ours.syn
    ours(x)
    assert not torch.equal(syn, ours.syn)


def test_the_decay_of_lapicques_neuron(snn):
    _, mem = snn.Lapicque(0.5)(torch.zeros(1), torch.ones(1))
    assert mem.item() == pytest.approx(0.307, abs=1e-3)
    ours = neuron.Lapicque(0.5, threshold=9.0)
    ours.mem = torch.ones(1)
    ours(torch.zeros(1))
    assert ours.mem.item() == 0.5


def test_an_alpha_that_learns(snn):
    with pytest.raises(TypeError):
        snn.Alpha(0.9, 0.5, learn_alpha=True)
    assert neuron.Alpha(0.9, 0.5, learn_alpha=True).alpha.requires_grad


def test_a_decay_over_the_border(snn):
    beta, grads = 1.25, []
    theirs = snn.Leaky(torch.tensor(beta), learn_beta=True)
    mem = theirs(torch.full((1,), 0.5), torch.full((1,), 0.2))[1]
    mem.sum().backward()
    grads.append(theirs.beta.grad.item())
    ours = neuron.Leaky(1.0, learn_beta=True)
    with torch.no_grad():
        ours.beta.fill_(beta)
    ours.mem = torch.full((1,), 0.2)
    ours(torch.full((1,), 0.5))
    assert torch.equal(ours.mem, mem)
    ours.mem.sum().backward()
    grads.append(ours.beta.grad.item())
    assert grads == [0.0, pytest.approx(0.2)]


def test_the_decay_and_the_factor_of_state_leaky(snn):
    kind = importlib.import_module("snntorch._neurons.stateleaky").StateLeaky
    x_seq = torch.tensor([[[3.0]], [[0.0]]])
    spikes, mem = kind(0.5, 1, graded_spikes_factor=3.0)(x_seq)
    assert mem.flatten()[1].item() == pytest.approx(3 * 0.6065, abs=1e-3)
    assert spikes.max() == 9.0
    ours = neuron.StateLeaky(0.5, graded_spikes_factor=3.0, step_mode="m", store_v_seq=True)
    assert ours(x_seq).max() == 3.0
    assert ours.mem_seq.flatten()[1] == 1.5


def test_a_reset_mechanism_that_is_assigned(snn):
    inputs = (1.5, 0.9, 0.0, 0.0)
    theirs, ours = snn.Leaky(1.0), neuron.Leaky(1.0)
    theirs.reset_mechanism = ours.reset_mechanism = "none"
    assert spikes_of(theirs, inputs) == [1, 1, 0, 0]
    assert [ours(torch.tensor([x])).item() for x in inputs] == [1, 1, 1, 1]


def test_another_batch_size(snn):
    theirs, ours = snn.Leaky(0.9, init_hidden=True), neuron.Leaky(0.9)
    for node in (theirs, ours):
        node(torch.full((3, 5), 0.5))
    theirs(torch.full((2, 5), 0.5))
    assert torch.equal(theirs.mem, torch.full((2, 5), 0.5))  # begun anew
    with pytest.raises(ValueError, match="reset_net"):
        ours(torch.full((2, 5), 0.5))


def test_other_dtypes(snn):
    x = torch.ones(2, dtype=torch.float64)
    assert snn.Leaky(0.9)(x, x)[0].dtype == torch.float32
    assert neuron.Leaky(0.9)(x).dtype == torch.float64


def test_pickles(snn):
    with pytest.raises(AttributeError):
        pickle.dumps(snn.Leaky(0.9))
    assert pickle.loads(pickle.dumps(neuron.Leaky(0.9))).beta == 0.9


def test_a_vector_of_decays_of_a_parallel_layer(snn):
    torch.manual_seed(0)
    theirs = snn.LeakyParallel(2, 3, beta=torch.tensor([0.5, 0.6, 0.7]))
    assert not torch.allclose(theirs.rnn.weight_hh_l0.diag(), torch.tensor([0.5, 0.6, 0.7]))
    ours = neuron.LeakyParallel(2, 3, beta=torch.tensor([0.5, 0.6, 0.7]))
    assert ours.beta.tolist() == pytest.approx([0.5, 0.6, 0.7])
