"""What docs/migrating-from-snntorch.md says of snnTorch's neurons, shown on them and on ours."""

import pytest
import torch
from snntorch_peer import peer

import spikeframe.compat.snntorch as snn

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]


@pytest.fixture
def snntorch():
    return peer()


def potentials(lif, inputs, mem=0.0):
    """The potentials of one neuron, from a state."""
    states = [torch.tensor([mem])]
    for x in inputs:
        states.append(lif(torch.tensor([x]), states[-1])[-1])
    return [state.item() for state in states[1:]]


def spikes(lif, inputs):
    mem, found = torch.zeros(1), []
    for x in inputs:
        spk, mem = lif(torch.tensor([x]), mem)
        found.append(spk.item())
    return found


def test_strong_input_without_delay(snntorch):
    inputs, options = (2.5, 0.0, 0.0, 0.0), {"beta": 0.9, "reset_delay": False}
    assert spikes(snntorch.Leaky(**options), inputs) == [1, 0, 0, 0]
    assert spikes(snn.Leaky(**options), inputs) == [1, 1, 0, 0]
    assert spikes(snn.Leaky(**options, strict=True), inputs) == [1, 0, 0, 0]


def test_a_recurrent_synaptic_neuron_without_delay(snntorch):
    options = {"alpha": 0.5, "beta": 0.9, "all_to_all": False, "V": 0.0, "reset_delay": False}
    theirs, ours = (p.RSynaptic(**options, init_hidden=True) for p in (snntorch, snn))
    with pytest.raises(TypeError):
        theirs(torch.ones(1))
    assert ours(torch.full((1,), 1.5)) == 1
    assert ours.mem == 0.5


def test_inhibition(snntorch):
    x, zero = torch.tensor([[1.5, 1.2]]), torch.zeros(1, 2)
    after = []
    for package, more in ((snntorch, {}), (snn, {}), (snn, {"strict": True})):
        lif = package.Leaky(1.0, inhibition=True, graded_spikes_factor=2.0, **more)
        spk, mem = lif(x, zero)
        after.append((spk.max().item(), lif(zero, mem)[1][0, 1].item()))
    expected = [(1.0, pytest.approx(0.2)), (2.0, pytest.approx(1.2)), (1.0, pytest.approx(0.2))]
    assert after == expected
    images = torch.rand(2, 3, 4, 4) + 2
    with pytest.raises(IndexError):
        snntorch.Leaky(0.9, inhibition=True)(images)
    assert snn.Leaky(0.9, inhibition=True)(images)[0].flatten(1).sum(1).tolist() == [1, 1]


def test_lapicque(snntorch):
    assert potentials(snntorch.Lapicque(0.5), [0.0], 1.0) == pytest.approx([0.307], abs=1e-3)
    assert potentials(snn.Lapicque(0.5), [0.0], 1.0) == [0.5]
    assert potentials(snn.Lapicque(0.5, strict=True), [0.0], 1.0) == pytest.approx([0.3069], 1e-3)
    with pytest.raises(AttributeError):
        snntorch.Lapicque(0.5, 1.0, 1.0)(torch.ones(1))
    with pytest.raises(ValueError, match="takes beta, or two of beta, R and C"):
        snn.Lapicque(0.5, 1.0, 1.0)
    theirs, ours = (p.Lapicque(0.5, learn_beta=True) for p in (snntorch, snn))
    theirs(torch.ones(1), torch.ones(1))[1].sum().backward()
    with pytest.raises(RuntimeError):
        theirs(torch.ones(1), torch.ones(1))[1].sum().backward()
    for _ in range(2):
        ours(torch.ones(1), torch.ones(1))[1].sum().backward()


def test_an_lstm_of_two_sizes(snntorch):
    x = torch.ones(2, 3)
    for package, more, forgets in (
        (snntorch, {}, True),
        (snn, {}, False),
        (snn, {"strict": True}, True),
    ):
        lstm = package.SLSTM(3, 4, threshold=0.1, **more)
        _, syn, mem = lstm(x)
        assert torch.equal(lstm(x, syn, mem)[1], syn) is forgets


def test_an_lstm_with_inhibition(snntorch):
    x = torch.ones(2, 4)
    torch.manual_seed(0)
    theirs = snntorch.SLSTM(4, 4, threshold=-1.0, inhibition=True)
    assert theirs(x)[0].sum(1).tolist() == [4, 4]
    ours = snn.SLSTM(4, 4, threshold=-1.0, inhibition=True)
    assert ours(x)[0].sum(1).tolist() == [1, 1]


@pytest.mark.parametrize("linear", [False, True])
def test_state_leaky(linear, snntorch):
    x = torch.tensor([[[3.0]], [[0.0]]])
    kind, sizes = ("LinearLeaky", (1, 1)) if linear else ("StateLeaky", (1,))
    found = []
    for package, more in ((snntorch, {}), (snn, {}), (snn, {"strict": True})):
        lif = getattr(package, kind)(0.5, *sizes, graded_spikes_factor=3.0, **more)
        if linear:
            torch.nn.init.ones_(lif.linear.weight)
            torch.nn.init.zeros_(lif.linear.bias)
        spk, mem = lif(x)
        found.append((spk.max().item(), mem.flatten()[1].item()))
    wrong, right = (9.0, pytest.approx(1.8196, abs=1e-3)), (3.0, 1.5)
    assert found == [wrong, right, wrong]


def test_leaky_parallel(snntorch):
    beta = torch.tensor([0.5, 0.6, 0.7])
    theirs = snntorch.LeakyParallel(2, 3, beta=beta)
    assert not torch.allclose(theirs.rnn.weight_hh_l0.diag(), beta)
    assert torch.equal(snn.LeakyParallel(2, 3, beta=beta).beta, beta)
    x = torch.tensor([[[-3.0]], [[1.5]]])
    found = []
    for more in ({}, {"strict": True}):
        ours = snn.LeakyParallel(1, 1, beta=0.9, bias=False, **more)
        torch.nn.init.ones_(ours.linear.weight)
        found.append(ours(x)[1].item())
    theirs = snntorch.LeakyParallel(1, 1, beta=0.9, bias=False)
    torch.nn.init.ones_(theirs.rnn.weight_ih_l0)
    assert [theirs(x)[1].item(), *found] == [1, 0, 1]


def test_hidden_states_of_another_batch(snntorch):
    theirs, ours = (p.Leaky(0.9, init_hidden=True) for p in (snntorch, snn))
    for lif in (theirs, ours):
        lif(torch.full((3, 5), 0.5))
    theirs(torch.full((2, 5), 0.5))
    assert theirs.mem.max() == 0.5
    with pytest.raises(ValueError, match="reset_net"):
        ours(torch.full((2, 5), 0.5))


def test_whom_a_reset_reaches(snntorch):
    # A neuron of snnTorch whose constructor failed stays on its list, and fails every reset.
    snntorch.SpikingNeuron.instances.clear()
    for package, all_of_them in ((snntorch, True), (snn, False)):
        first, second = (package.Leaky(0.9, init_hidden=True) for _ in range(2))
        first(torch.ones(2)), second(torch.ones(2))
        first.reset_hidden()
        assert bool((torch.as_tensor(second.mem) == 0).all()) is all_of_them


def test_zeros(snntorch):
    for package, works in ((snntorch, False), (snn, True)):
        state = torch.ones(2)
        package.Leaky.zeros(state)
        assert bool((state == 0).all()) is works
