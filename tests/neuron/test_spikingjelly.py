"""Conversion from SpikingJelly, by attributes: stand-ins here, the live package in parity."""

import copy

import pytest
import torch
from torch import nn

from spikeframe import functional, neuron, surrogate

pytestmark = pytest.mark.usefixtures("uncompiled")

PEER = "spikingjelly.activation_based"


def stand_in(name, room="neuron.lif", bases=(nn.Module,), **attributes):
    """An object of a class that says it is SpikingJelly's."""
    theirs = type(name, bases, {"__module__": f"{PEER}.{room}"})()
    for key, value in attributes.items():
        setattr(theirs, key, value)
    return theirs


def lif(**attributes):
    sigmoid = stand_in("Sigmoid", "surrogate", alpha=3.0, spiking=True)
    common = {"tau": 2.5, "decay_input": False, "v_threshold": 0.8, "v_reset": None}
    more = {"detach_reset": True, "step_mode": "m", "store_v_seq": True, "_memories": {"v": 0.0}}
    return stand_in("LIFNode", **(common | more | {"surrogate_function": sigmoid} | attributes))


def test_arguments_surrogate_and_states_are_kept():
    v = torch.tensor([0.25, 0.5])
    ours = neuron.from_spikingjelly(lif(_memories={"v": v}, backend="cupy").eval())
    assert type(ours) is neuron.LIFNode
    assert "v_threshold=0.8, v_reset=None, detach_reset=True, step_mode=m" in repr(ours)
    assert "backend=auto, tau=2.5, decay_input=False" in repr(ours)
    assert isinstance(ours.surrogate_function, surrogate.Sigmoid)
    assert ours.surrogate_function.alpha == 3.0
    assert ours.store_v_seq
    assert not ours.training
    assert torch.equal(ours.v, v)
    assert ours.v is not v


def test_a_net_is_copied_with_the_neurons_replaced():
    theirs = nn.Sequential(nn.Linear(3, 2), nn.Sequential(lif()), lif(tau=4.0))
    theirs.append(theirs[1][0])
    theirs[1][0].v = torch.ones(2, requires_grad=True) * 2  # which deepcopy would refuse
    net = neuron.from_spikingjelly(theirs)
    assert type(net[1][0]) is neuron.LIFNode
    assert net[3] is net[1][0]
    assert net[2].tau == 4.0
    assert torch.equal(net[0].weight, theirs[0].weight)
    assert net[0].weight is not theirs[0].weight
    functional.reset_net(net)
    net(torch.rand(4, 5, 3))


def test_parameters_are_copied_not_shared():
    w = nn.Parameter(torch.tensor(0.3))
    plif = lif(w=w)
    plif.__class__.__name__ = "ParametricLIFNode"
    ours = neuron.from_spikingjelly(plif)
    assert type(ours) is neuron.ParametricLIFNode
    assert ours.w == w
    assert ours.w is not w
    k = nn.Parameter(torch.tensor(1.5))
    klif = lif(k=k, scale_reset=True)
    klif.__class__.__name__ = "KLIFNode"
    ours = neuron.from_spikingjelly(klif)
    assert ours.k == 1.5
    assert ours.k is not k


def test_a_surrogate_that_is_no_module_is_kept():
    assert neuron.from_spikingjelly(lif(surrogate_function=torch.sigmoid)).surrogate_function is (
        torch.sigmoid
    )


def half(**attributes):
    node = lif(**attributes)
    node.__class__.__name__ = "HalfThresholdIFNode"
    return node


def test_half_a_threshold_at_the_start_is_a_reset_value():
    ours = neuron.from_spikingjelly(half(v_threshold=1.0))
    assert type(ours) is neuron.IFNode
    assert ours.v == 0.5


class Mine(type(lif())):
    """A user's own neuron."""

    __module__ = "mine"


def hooked():
    node = lif()
    node.register_forward_hook(print)
    return node


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (stand_in("STBIFNode"), "^STBIFNode of SpikingJelly has no counterpart for its class$"),
        (Mine(), "Mine .* its own class, a subclass of LIFNode: subclass spikeframe's"),
        (hooked(), "its hooks, which would see another module: register them anew"),
        (lif(tau=0.5), "its arguments: tau must be finite and greater than 1"),
        (
            lif(surrogate_function=stand_in("SuperSpike", "surrogate", alpha=2.0)),
            r"its surrogate SuperSpike\(alpha=2.0\), whose formula is another than ours unless",
        ),
        (
            stand_in("SlidingPSN", k=3, _memories={"queue": [torch.ones(2)]}, weight=None),
            "the steps it remembers: call its reset",
        ),
    ],
)
def test_what_has_no_counterpart_is_named(theirs, message):
    with pytest.raises(ValueError, match=message):
        neuron.from_spikingjelly(theirs)
    with pytest.raises(ValueError, match="'1.a' of SpikingJelly has no counterpart"):
        neuron.from_spikingjelly(nn.Sequential(nn.Linear(1, 1), nn.ModuleDict({"a": theirs})))


def test_other_modules_are_left_alone():
    net = nn.Sequential(neuron.IFNode(), nn.ReLU())
    copied = neuron.from_spikingjelly(net)
    assert copied is not net
    assert type(copied[0]) is neuron.IFNode
    with pytest.raises(TypeError, match="module must be an nn.Module, got str"):
        neuron.from_spikingjelly("net")


@pytest.fixture
def sj():
    reason = "spikingjelly is not installed (make parity installs it)"
    return pytest.importorskip(PEER, reason=reason)


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
def test_live_nets_fire_alike(sj):
    from spikingjelly.activation_based import functional as their_functional
    from spikingjelly.activation_based import layer as their_layer
    from spikingjelly.activation_based import neuron as theirs
    from spikingjelly.activation_based import surrogate as their_surrogate

    torch.manual_seed(0)
    spike = their_surrogate.ATan()
    net = nn.Sequential(
        their_layer.Conv2d(2, 4, 3, padding=1, bias=False),
        their_layer.BatchNorm2d(4),
        theirs.LIFNode(tau=2.5, surrogate_function=spike, detach_reset=True),
        their_layer.MaxPool2d(2),
        theirs.ParametricLIFNode(init_tau=3.0, surrogate_function=spike),
        their_layer.Flatten(),
        their_layer.Linear(4 * 4 * 4, 10),
        theirs.IFNode(v_reset=None, v_threshold=0.2),
    )
    their_functional.set_step_mode(net, "m")
    x_seq = torch.rand(6, 3, 2, 8, 8) * 3
    ours = neuron.from_spikingjelly(net)
    for _ in range(2):  # the second call from the states of the first
        expected, found = net(x_seq), ours(x_seq)
        assert 0.05 < expected.mean() < 0.6
        assert torch.equal(found, expected)
    resumed = neuron.from_spikingjelly(copy.deepcopy(their_functional.detach_net(net) or net))
    assert torch.equal(resumed(x_seq), net(x_seq))
    functional.reset_net(ours), their_functional.reset_net(net)
    for module in (net, ours):
        module.zero_grad()
        module(x_seq).sum().backward()
    for a, b in zip(ours.parameters(), net.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-5)
