"""Whole nets: reset, detach, step mode, backend."""

import pytest
import torch
from cases import NEURONS, sequence
from torch import nn

from spikeframe import base, functional, neuron


class Foreign(nn.Module):
    """Has a reset() of its own."""

    def __init__(self):
        super().__init__()
        self.resets = 0

    def reset(self):
        self.resets += 1


def net_of(*modules):
    return nn.Sequential(nn.Linear(5, 4), nn.Sequential(*modules))


def test_reset_reaches_modules_added_after_the_first_reset():
    net, x = net_of(neuron.IFNode()), sequence((3, 5))[0]
    net(x)
    functional.reset_net(net)
    net[1].append(neuron.LIFNode())
    net(x)
    functional.reset_net(net)
    assert list(base.memories(net)) == [0.0, 0.0]


def test_a_forgotten_reset_changes_the_result_and_a_reset_repeats_it():
    net, x = net_of(neuron.IFNode()), sequence((3, 5))[0]
    net[0].weight.data.fill_(0.2)
    functional.reset_net(net)
    with torch.no_grad():
        first, carried = net(x), net(x)
        functional.reset_net(net)
        assert torch.equal(net(x), first)
    assert not torch.equal(carried, first)


def test_a_foreign_reset_is_called_and_announced():
    foreign = Foreign()
    with pytest.warns(UserWarning, match="also calls reset.. of Foreign, which is not"):
        functional.reset_net(net_of(foreign))
    assert foreign.resets == 1


@pytest.mark.parametrize("function", [functional.reset_net, functional.detach_net])
def test_only_modules_are_taken(function):
    with pytest.raises(TypeError, match=r"net must be an nn\.Module, got list"):
        function([neuron.IFNode()])
    with pytest.raises(TypeError, match=r"net must be an nn\.Module, got str"):
        functional.set_step_mode("net", "m")
    with pytest.raises(TypeError, match=r"net must be an nn\.Module, got NoneType"):
        functional.set_backend(None, "eager")


def test_detach_lets_training_go_on_through_a_carried_state():
    net, x_seq = net_of(neuron.LIFNode(step_mode="m")), sequence((3, 5))
    for chunk in x_seq.split(2):
        net(chunk).sum().backward()
        functional.detach_net(net)
    assert net[1][0].v.grad_fn is None
    assert net[1][0].v.shape == (3, 4)


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_set_step_mode_reaches_every_node(case):
    net, x_seq = net_of(case(), nn.Identity(), case()), sequence((3, 5))
    functional.set_step_mode(net, "m")
    assert [m.step_mode for m in net[1] if hasattr(m, "step_mode")] == ["m", "m"]
    assert net(x_seq).shape == (7, 3, 4)
    functional.set_step_mode(net, "s")
    assert net[1][0].step_mode == "s"


def test_set_step_mode_changes_all_or_nothing():
    class Sequences(base.MultiStepModule, nn.Module):
        """Takes 'm' only."""

    net = net_of(neuron.IFNode(step_mode="m"), Sequences())
    with pytest.raises(ValueError, match="Sequences supports step_mode 'm' only, got 's'"):
        functional.set_step_mode(net, "s")
    assert net[1][0].step_mode == "m"
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        functional.set_step_mode(net_of(), "x")


def test_set_step_mode_leaves_the_inside_of_containers():
    class Container(nn.Sequential, base.MultiStepModule):
        """Chooses its contents' mode itself."""

        keeps_inner_step_mode = True

    net = net_of(Container(neuron.IFNode()), neuron.IFNode())
    functional.set_step_mode(net, "m")
    assert net[1][0][0].step_mode == "s"
    assert net[1][1].step_mode == "m"


def test_set_backend_applies_where_it_can_and_lists_the_rest_once():
    net = net_of(neuron.IFNode(), neuron.LIFNode())
    functional.set_backend(net, "eager", instance=neuron.LIFNode)
    assert [m.backend for m in net[1]] == ["auto", "eager"]
    with pytest.warns(UserWarning, match=r"set_backend\('cupy'\) leaves.*1\.0, 1\.1: ") as warned:
        functional.set_backend(net, "cupy")
    assert len(warned) == 1
    assert [m.backend for m in net[1]] == ["auto", "eager"]
    with pytest.raises(ValueError, match="backend must be one of 'auto', .*got 'cuda'"):
        functional.set_backend(net, "cuda")
    with pytest.raises(TypeError, match="instance must be a class or a tuple .*got 'LIFNode'"):
        functional.set_backend(net, "eager", instance="LIFNode")


@pytest.mark.parametrize("mode_first", [True, False])
def test_set_backend_and_set_step_mode_commute(mode_first):
    net = net_of(neuron.IFNode())
    calls = [
        lambda: functional.set_step_mode(net, "m"),
        lambda: functional.set_backend(net, "eager"),
    ]
    for call in calls if mode_first else reversed(calls):
        call()
    assert (net[1][0].step_mode, net[1][0].backend) == ("m", "eager")
