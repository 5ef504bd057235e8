"""A learner sees spikes on both sides of a layer and changes its weights by their times."""

import pytest
import torch
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe import functional
from spikeframe.compat.snntorch import functional as SF

X_SEQ = torch.rand(5, 2, 4, generator=torch.Generator().manual_seed(0))


def test_a_learner_changes_the_gradient():
    net = nn.Sequential(nn.Linear(4, 3), snn.Leaky(0.9, threshold=-9.0, init_hidden=True))
    learner = SF.STDPLearner(net[0], net[1], 2.0, 2.0, torch.zeros_like, torch.ones_like)
    with pytest.raises(RuntimeError, match="has seen no step"):
        learner.step()
    net(torch.ones(2, 4))
    learner.disable()
    net(torch.ones(2, 4))
    learner.enable()
    learner.step(scale=0.5)
    assert torch.equal(net[0].weight.grad, torch.full((3, 4), -1.0))
    net(torch.ones(2, 4))
    change = learner.step(on_grad=False)
    assert torch.equal(change, torch.full((3, 4), 3.0))  # a trace of 1 / 2 + 1
    learner.reset()
    assert learner.trace_pre is None


def changes(net, learner, **options):
    """By :func:`stdp_step`, over what the net is given and gives."""
    traces, total = (None, None), 0.0
    for x in X_SEQ:
        out = net(x)
        spikes = out[0] if isinstance(out, tuple) else out
        *traces, change = functional.stdp_step(net[0], x, spikes, *traces, **options)
        total = total + change
    return total


@pytest.mark.parametrize("hidden", [{"init_hidden": True}, {}])
def test_it_learns_from_all_steps_since_the_last_time(hidden):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), snn.Leaky(0.9, threshold=0.5, **hidden))
    nn.init.uniform_(net[0].weight, 0, 0.5)
    options = {"tau_pre": 2.0, "tau_post": 3.0, "f_pre": torch.abs, "f_post": torch.exp}
    learner = SF.STDPLearner(net[0], net[1], **options)
    expected = changes(net, learner, **options)
    assert expected.abs().sum() > 0
    torch.testing.assert_close(learner.step(on_grad=False, scale=2.0), 2 * expected)
    assert net[0].weight.grad is None
    with pytest.raises(RuntimeError, match="has seen no step since the last one: run the net"):
        learner.step()
    learner.reset()
    snn.utils.reset(net)
    changes(net, learner, **options)
    net[0].weight.grad = torch.ones(3, 4)
    assert learner.step() is None
    torch.testing.assert_close(net[0].weight.grad, 1 - expected)


def test_forgetting_is_of_what_was_seen_and_of_the_traces():
    net = nn.Sequential(nn.Linear(4, 3), snn.Leaky(0.9, threshold=-9.0, init_hidden=True))
    learner = SF.STDPLearner(net[0], net[1], 2.0, 2.0)
    net(X_SEQ[0])
    first = learner.step(on_grad=False)
    net(X_SEQ[0])
    learner.reset()
    with pytest.raises(RuntimeError, match="has seen no step"):
        learner.step()
    net(X_SEQ[0])
    assert torch.equal(learner.step(on_grad=False), first)


def test_defaults_are_proportional_to_the_weight():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Identity())
    nn.init.constant_(net[0].weight, 0.5)
    learner = SF.STDPLearner(net[0], net[1], 2.0, 4.0)
    net(torch.tensor([[1.0]]))
    net(torch.tensor([[0.0]]))
    # Traces 1 and 0.5; only the first step has spikes, where both sides cancel.
    assert learner.step(on_grad=False).item() == 0.0
    net(torch.tensor([[1.0]]))
    # 0.5 * (1.25 * 0.5) - 0.5 * ((0.5 * 0.75 * 0.75 + 0.5) * 1)
    assert learner.step(on_grad=False).item() == pytest.approx(0.3125 - 0.390625)
