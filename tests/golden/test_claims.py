"""What docs/peers.md says of the peers, shown on the peers and on us."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import spikeframe
from spikeframe import neuron as our_neuron
from spikeframe import surrogate as our_surrogate

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]


@pytest.fixture
def sj():
    reason = "spikingjelly is not installed (make parity installs it)"
    return pytest.importorskip("spikingjelly.activation_based", reason=reason)


@pytest.fixture
def snn():
    return pytest.importorskip("snntorch", reason="snntorch is not installed (make parity)")


@pytest.fixture
def neuron(sj):
    from spikingjelly.activation_based import neuron

    return neuron


def test_another_shape(neuron):
    theirs, ours = neuron.IFNode(), our_neuron.IFNode()
    theirs(torch.full((3, 5), 0.5))
    theirs(torch.zeros(4, 5))
    assert theirs.v.shape == (4, 5)
    ours(torch.full((3, 5), 0.5))
    with pytest.raises(ValueError, match="reset_net"):
        ours(torch.zeros(4, 5))


def test_a_module_added_after_the_first_reset(neuron):
    from spikingjelly.activation_based import functional

    x, v = torch.full((2,), 0.5), []
    for module, reset in (
        (neuron, functional.reset_net),
        (our_neuron, spikeframe.functional.reset_net),
    ):
        net = nn.Sequential(module.IFNode())
        reset(net)
        net.append(module.IFNode(v_threshold=9.0))
        net(2 * x)
        reset(net)
        v.append(net[1].v)
    assert isinstance(v[0], torch.Tensor)
    assert v[0].any()
    assert v[1] == 0.0


def test_an_int_as_tau(neuron):
    with pytest.raises(AssertionError, match="^$"):
        neuron.LIFNode(tau=2)
    assert our_neuron.LIFNode(tau=2).tau == 2.0


def test_the_default_surrogate(neuron):
    assert neuron.IFNode().surrogate_function is neuron.IFNode().surrogate_function
    assert our_neuron.IFNode().surrogate_function is not our_neuron.IFNode().surrogate_function


def learn_threshold(module):
    node = module.LIFNode(step_mode="m")
    del node.v_threshold
    node.v_threshold = nn.Parameter(torch.tensor(1.0))
    node(torch.rand(4, 3, requires_grad=True) * 3).sum().backward()
    return node.v_threshold.grad


def test_a_learned_threshold(neuron):
    assert learn_threshold(neuron) is None
    assert learn_threshold(our_neuron) is not None


def test_a_copy_with_a_live_state(neuron):
    nodes = [module.IFNode() for module in (neuron, our_neuron)]
    for node in nodes:
        node(torch.full((2,), 0.5, requires_grad=True))
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(nodes[0])
    assert torch.equal(copy.deepcopy(nodes[1]).v, nodes[1].v)


def test_a_plain_checkpoint(neuron):
    x_seq = torch.rand(6, 8) * 2
    grads = []
    for wrap in (False, True):
        x, node = x_seq.clone().requires_grad_(), neuron.LIFNode(step_mode="m")
        out = checkpoint(node, x, use_reentrant=False) if wrap else node(x)
        out.sum().backward()
        grads.append(x.grad)
    assert not torch.allclose(*grads)


def test_a_neuron_in_a_folding_container(neuron):
    from spikingjelly.activation_based import layer

    net = layer.SeqToANNContainer(nn.Linear(3, 3), neuron.LIFNode())
    net(torch.rand(4, 2, 3))
    assert net[1].v.shape == (8, 3)
    with pytest.raises(ValueError, match="stateless"):
        spikeframe.layer.SeqToANNContainer(nn.Linear(3, 3), our_neuron.LIFNode())(
            torch.rand(4, 2, 3)
        )


def test_an_overridden_charge(neuron):
    fired = []
    for module in (neuron, our_neuron):

        class Silent(module.LIFNode):
            def neuronal_charge(self, x):
                self.v = 0.0 * x

        fired.append(Silent()(torch.full((2,), 9.0)).sum().item())
    assert fired == [2.0, 0.0]


def test_an_infinite_threshold(neuron):
    v = []
    for module in (neuron, our_neuron):
        node = module.IFNode(v_threshold=float("inf"), v_reset=None)
        node(torch.ones(2))
        v.append(node.v)
    assert v[0].isnan().all()
    assert torch.equal(v[1], torch.ones(2))


def test_an_analog_neuron_given_a_sequence(neuron):
    x_seq = torch.rand(4, 3, generator=torch.Generator().manual_seed(0)) * 2
    outputs = []
    for module in (neuron, our_neuron):
        node = module.LIAFNode(torch.tanh, False, step_mode="m")
        steps = module.LIAFNode(torch.tanh, False)
        outputs.append((node(x_seq), torch.stack([steps(x) for x in x_seq])))
    assert not torch.allclose(*outputs[0])
    assert torch.equal(outputs[0][0], outputs[0][0].round())
    assert torch.allclose(*outputs[1])


def test_a_readout_resets_itself(neuron):
    theirs, ours = neuron.NonSpikingIFNode(), our_neuron.NonSpikingIFNode(step_mode="m")
    x_seq = torch.ones(2, 1)
    theirs(x_seq), ours(x_seq)
    assert isinstance(theirs(x_seq), list)
    assert theirs.v.item() == 2.0
    assert ours(x_seq).flatten().tolist() == [3.0, 4.0]


def test_a_simple_lif_with_a_soft_reset(neuron):
    with pytest.raises(TypeError):
        neuron.SimpleLIFNode(2.0, True, v_reset=None)(torch.ones(1))
    assert our_neuron.SimpleLIFNode(2.0, True, v_reset=None)(torch.ones(1)).item() == 0.0


def test_two_sequences_of_a_sliding_psn(neuron):
    x_seq, spikes = torch.full((4, 1), 0.6), []
    for module in (neuron, our_neuron):
        node = module.SlidingPSN(k=3, step_mode="m")
        spikes.append(torch.cat([node(x_seq[:1]), node(x_seq[1:])]))
        node.reset()
        spikes.append(node(x_seq))
    assert not torch.equal(*spikes[:2])
    assert torch.equal(*spikes[2:])


def test_an_exponential_beyond_float32(neuron):
    v = []
    for module in (neuron, our_neuron):
        node = module.EIFNode(delta_T=1e-3, v_threshold=1.5, step_mode="m")
        node(torch.full((6, 1), 2.8))
        v.append(node.v)
    assert v[0].isnan().all()
    assert v[1].isfinite().all()


def test_a_stateful_encoder_given_another_input(sj):
    from spikingjelly.activation_based import encoding

    theirs = encoding.LatencyEncoder(4)
    theirs(torch.ones(1))
    replay = [theirs(torch.zeros(1)).item() for _ in range(3)]
    assert replay == [0.0, 0.0, 0.0]  # 0 should fire at the last step
    ours = spikeframe.encoding.LatencyEncoder(4)
    ours(torch.ones(1))
    with pytest.raises(ValueError, match="reset_net"):
        ours(torch.zeros(1))


def test_a_poisson_encoder_given_more_than_one(sj):
    from spikingjelly.activation_based import encoding

    x = torch.tensor([-1.0, 2.0])
    assert encoding.PoissonEncoder()(x).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        spikeframe.encoding.PoissonEncoder()(x)
    assert spikeframe.encoding.rate(x, 3).tolist() == [[0.0, 1.0]] * 3


def test_single_steps_for_a_container_of_sequences(neuron):
    from spikingjelly.activation_based import functional, layer

    functional.set_step_mode(layer.MultiStepContainer(neuron.IFNode()), "s")
    with pytest.raises(ValueError, match="'m' only"):
        spikeframe.functional.set_step_mode(
            spikeframe.layer.MultiStepContainer(our_neuron.IFNode()), "s"
        )


def test_leaky_swallows_spikes_without_reset_delay(snn):
    node, mem, spikes = snn.Leaky(beta=0.9, reset_delay=False), torch.zeros(1), []
    for x in (2.5, 0.0, 0.0, 0.0):
        spike, mem = node(torch.tensor([x]), mem)
        spikes.append(spike.item())
        assert mem > 1
    assert spikes == [1.0, 0.0, 0.0, 0.0]


def test_the_sigmoids_gradient_at_minus_four(snn):
    from snntorch import surrogate

    u = torch.tensor([-4.0], requires_grad=True)
    surrogate.sigmoid(slope=25)(u).sum().backward()
    assert u.grad.isnan().all()
    u.grad = None
    our_surrogate.Sigmoid(alpha=25, strict=True)(u).sum().backward()
    assert u.grad.isfinite().all()
