import copy
import pickle
import warnings

import pytest
import torch

from spikeframe import neuron
from spikeframe.compat.spikingjelly import activation_based, clock_driven
from spikeframe.compat.spikingjelly.activation_based import functional
from spikeframe.compat.spikingjelly.any_backend import notice

NODES = ("IFNode", "LIFNode", "ParametricLIFNode", "QIFNode", "EIFNode", "IzhikevichNode")
X_SEQ = torch.rand(6, 3, 5, generator=torch.Generator().manual_seed(0)) * 3


@pytest.fixture(autouse=True)
def nothing_said():
    notice.cache_clear()
    yield
    notice.cache_clear()


@pytest.fixture
def said():
    """The warnings, which are errors elsewhere."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


@pytest.mark.parametrize("backend", ["cupy", "triton"])
@pytest.mark.parametrize("name", NODES)
def test_backend_that_is_not_here_is_auto(name, backend, said):
    node = getattr(activation_based.neuron, name)(step_mode="m", backend=backend)
    assert node.backend == backend
    expected = getattr(neuron, name)(step_mode="m")
    assert torch.equal(node(X_SEQ), expected(X_SEQ))
    assert node.backend == "auto"
    (warning,) = said
    assert f"backend {backend!r} cannot be had (" in str(warning.message)
    assert "'auto' takes its place" in str(warning.message)


def test_one_notice_serves_a_whole_net(said):
    nodes = [clock_driven.neuron.MultiStepLIFNode(backend="cupy") for _ in range(5)]
    net = torch.nn.Sequential(*nodes, clock_driven.neuron.MultiStepIFNode(backend="cupy"))
    net(X_SEQ)
    functional.reset_net(net)
    net(X_SEQ)
    assert len(said) == 1


def test_single_steps_take_any_backend_too(said):
    node = activation_based.neuron.LIFNode(backend="cupy")
    expected = neuron.LIFNode()
    for x in X_SEQ:
        assert torch.equal(node(x), expected(x))
    assert len(said) == 1


def test_backend_that_serves_is_kept():
    node = activation_based.neuron.LIFNode(step_mode="m", backend="torch")
    node(X_SEQ)
    assert node.backend == "torch"


def test_backend_is_asked_again_where_it_is_changed(said):
    node = activation_based.neuron.LIFNode(step_mode="m", backend="torch")
    node(X_SEQ)
    for _ in range(2):
        node.backend = "cupy"
        node(X_SEQ)
        assert node.backend == "auto"
    assert len(said) == 1


def test_net_compiles_to_one_graph_with_a_backend_that_is_not_here(said):
    net = torch.nn.Sequential(clock_driven.neuron.MultiStepLIFNode(backend="cupy"))
    expected = neuron.LIFNode(step_mode="m")(X_SEQ)
    assert torch.equal(torch.compile(net, fullgraph=True, backend="eager")(X_SEQ), expected)
    assert net[0].backend == "auto"
    assert any("'auto' takes its place" in str(warning.message) for warning in said)


def test_backend_of_another_kind_is_auto_and_a_typo_is_refused(said):
    assert activation_based.neuron.IFNode(backend="inductor").backend == "auto"
    assert "there is no backend 'inductor' here" in str(said[0].message)
    with pytest.raises(ValueError, match="backend must be one of .*, got 'cuppy'"):
        activation_based.neuron.IFNode(backend="cuppy")


def test_set_backend_names_what_it_leaves(said):
    ours = activation_based.neuron
    net = torch.nn.Sequential(ours.IFNode(step_mode="m"), ours.LIFNode(step_mode="m"))
    functional.set_backend(net, "eager", instance=ours.LIFNode)
    assert [node.backend for node in net] == ["auto", "eager"]
    functional.set_backend(net, "cupy", instance=ours.LIFNode)
    assert [node.backend for node in net] == ["auto", "eager"]
    assert "set_backend('cupy') leaves these nodes as they are (1: " in str(said[0].message)


def test_nodes_are_copied_and_pickled_with_their_backend():
    node = clock_driven.neuron.MultiStepParametricLIFNode(3.0, backend="cupy")
    for copied in (copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert type(copied) is type(node)
        assert (copied.backend, copied.step_mode) == ("cupy", "m")
        assert torch.equal(copied.w, node.w)
