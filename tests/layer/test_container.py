"""Containers run their modules as promised, and refuse what they would run wrongly."""

import copy
import pickle
from collections import OrderedDict

import pytest
import torch
from torch import nn

from spikeframe import base, functional, layer

STEPWISE = [layer.MultiStepContainer, layer.TLastMultiStepContainer]
FOLDING = [layer.SeqToANNContainer, layer.TLastSeqToANNContainer]
MULTI = STEPWISE + FOLDING
each = {
    kinds: pytest.mark.parametrize("kind", group, ids=lambda kind: kind.__name__)
    for kinds, group in (("multi", MULTI), ("stepwise", STEPWISE), ("folding", FOLDING))
}


class Accumulator(base.MemoryModule):
    """Adds up its inputs."""

    def __init__(self, step_mode="s"):
        super().__init__()
        self.step_mode = step_mode
        self.register_memory("total", 0.0)

    def single_step_forward(self, x):
        self.total = self.total + x
        return self.total


def feed(kind, x_seq, net):
    """Run a container on a sequence [T, N, \\*], time last where it wants it so."""
    if not kind.__name__.startswith("TLast"):
        return net(x_seq)
    return net(x_seq.movedim(0, -1)).movedim(-1, 0)


@each["multi"]
def test_container_equals_the_layers_one_by_one(kind):
    torch.manual_seed(0)
    modules = [nn.Conv2d(2, 3, 3), layer.BatchNorm2d(3).eval(), nn.Flatten(), nn.Linear(27, 4)]
    x_seq = torch.rand(4, 5, 2, 5, 5, dtype=torch.float64)
    net = kind(*modules).double()
    expected = torch.stack([nn.Sequential(*modules)(x) for x in x_seq])
    torch.testing.assert_close(feed(kind, x_seq, net), expected)


@each["stepwise"]
def test_container_carries_memories(kind):
    net = kind(nn.Identity(), Accumulator())
    x_seq = torch.rand(4, 5, 3)
    expected = x_seq.cumsum(0)
    torch.testing.assert_close(feed(kind, x_seq, net), expected)
    torch.testing.assert_close(feed(kind, x_seq, net), expected + expected[-1])
    functional.reset_net(net)
    torch.testing.assert_close(feed(kind, x_seq, net), expected)


@each["folding"]
def test_folding_container_takes_statistics_over_time(kind):
    net, reference = kind(nn.BatchNorm1d(3)), nn.BatchNorm1d(3)
    x_seq = torch.rand(4, 5, 3)
    expected = reference(x_seq.flatten(0, 1)).unflatten(0, (4, 5))
    torch.testing.assert_close(feed(kind, x_seq, net), expected)


@each["folding"]
def test_folding_container_refuses_memories(kind):
    match = r"SeqToANNContainer.* stateless, got 1 \(Accumulator\): take it out"
    with pytest.raises(ValueError, match=match):
        kind(nn.Linear(3, 3), Accumulator())
    with pytest.raises(ValueError, match=r"0\.1 \(Dropout\)"):
        kind(nn.Sequential(nn.Linear(3, 3), layer.Dropout()))
    net = nn.Sequential(kind(nn.Linear(3, 3)))
    net[0].append(Accumulator())
    with pytest.raises(ValueError, match="SeqToANNContainer '0' folds time into the batch"):
        net(torch.rand(4, 5, 3))


@each["multi"]
def test_container_refuses_modules_for_sequences(kind):
    match = (
        r"hands single steps to its modules, .* but these have 'm': 0 \(Linear\), 1\.0 "
        r"\(Flatten\)\. Call functional.set_step_mode\(module, 's'\)"
    )
    sequences = layer.Linear(3, 3, step_mode="m"), nn.Sequential(layer.Flatten(step_mode="m"))
    with pytest.raises(ValueError, match=match):
        kind(*sequences)
    net = kind(layer.Linear(3, 3))
    net[0].step_mode = "m"
    with pytest.raises(ValueError, match=r"but these have 'm': 0 \(Linear\)"):
        feed(kind, torch.rand(4, 5, 3), net)
    with pytest.raises(ValueError, match=r"0 \(MultiStepContainer\)"):
        kind(layer.MultiStepContainer(nn.Linear(3, 3)))


@each["stepwise"]
def test_container_refuses_memories_for_sequences(kind):
    with pytest.raises(ValueError, match=r"but these have 'm': 0 \(Accumulator\)"):
        kind(Accumulator("m"))


@each["multi"]
def test_container_keeps_its_step_mode_and_its_modules(kind):
    net = nn.Sequential(layer.Linear(3, 3), kind(layer.Linear(3, 3)))
    functional.set_step_mode(net, "m")
    assert (net[0].step_mode, net[1].step_mode, net[1][0].step_mode) == ("m", "m", "s")
    with pytest.raises(ValueError, match=f"{kind.__name__} supports step_mode 'm' only, got 's'"):
        functional.set_step_mode(net, "s")
    assert net[0].step_mode == "m"


@each["multi"]
def test_container_is_a_sequential(kind):
    net = kind(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    assert isinstance(net, nn.Sequential)
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(net) == 3
    assert type(net[:2]) is kind
    assert net[1:][1] is net[2]
    named = kind(OrderedDict(fc=nn.Linear(3, 2)))
    assert list(named.state_dict()) == ["fc.weight", "fc.bias"]
    x_seq = torch.rand(4, 5, 3)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(feed(kind, x_seq, twin), feed(kind, x_seq, net))


@each["multi"]
def test_container_refuses_what_is_no_sequence(kind):
    with pytest.raises(ValueError, match=r"T=0|sequence|\[T, N, \*\]"):
        kind(nn.Identity())(torch.rand(()))
    empty = torch.rand(0, 5, 3) if "TLast" not in kind.__name__ else torch.rand(5, 3, 0)
    with pytest.raises(ValueError, match="at least one step"):
        kind(nn.Identity())(empty)


@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize(
    "build",
    [
        lambda stateful, mode, *mods: layer.StepModeContainer(stateful, *mods, step_mode=mode),
        lambda stateful, mode, *mods: layer.StepModeContainer(stateful, mode, *mods),
    ],
    ids=["keyword", "position"],
)
def test_step_mode_container_takes_both_call_forms(build, stateful):
    torch.manual_seed(0)
    modules = [nn.Linear(3, 2), nn.ReLU()]
    x_seq = torch.rand(4, 5, 3)
    multi, single = build(stateful, "m", *modules), build(stateful, "s", *modules)
    assert (multi.step_mode, single.step_mode) == ("m", "s")
    assert len(multi) == 2
    assert multi[0] is modules[0]
    torch.testing.assert_close(multi(x_seq), torch.stack([single(x) for x in x_seq]))
    assert repr(multi).splitlines()[1] == f"  stateful={stateful}, step_mode=m"


def test_step_mode_container_of_modules_alone_is_not_corrupted():
    a, b = nn.Linear(3, 2), nn.ReLU()
    net = layer.StepModeContainer(False, a, b)
    assert list(net) == [a, b]
    assert net.step_mode == "s"
    functional.set_step_mode(net, "m")
    assert net(torch.rand(4, 5, 3)).shape == (4, 5, 2)
    assert list(layer.StepModeContainer(False, OrderedDict(fc=a)).state_dict()) == [
        "fc.weight",
        "fc.bias",
    ]


def test_step_mode_container_carries_memories_in_both_modes():
    x_seq = torch.rand(4, 5, 3)
    net = layer.StepModeContainer(True, nn.Identity(), Accumulator(), step_mode="m")
    together = net(x_seq)
    functional.reset_net(net)
    functional.set_step_mode(net, "s")
    assert net[1].step_mode == "s"
    assert torch.equal(torch.stack([net(x) for x in x_seq]), together)


@pytest.mark.parametrize(("stateful", "batches"), [(True, 4), (False, 1)])
def test_step_mode_container_folds_time_where_stateless(stateful, batches):
    norm = nn.BatchNorm1d(3)
    layer.StepModeContainer(stateful, norm, step_mode="m")(torch.rand(4, 5, 3))
    assert norm.num_batches_tracked == batches


def test_step_mode_container_is_sliced_whole():
    linear = nn.Linear(3, 3)
    part = layer.StepModeContainer(True, linear, linear, nn.ReLU(), step_mode="m")[:2]
    assert isinstance(part, layer.StepModeContainer)
    assert (part.stateful, part.step_mode) == (True, "m")
    assert list(part) == [linear, linear]


def test_step_mode_container_refuses():
    with pytest.raises(TypeError, match="stateful must be True or False, got Linear"):
        layer.StepModeContainer(nn.Linear(3, 3), nn.ReLU())
    with pytest.raises(TypeError, match="step_mode is given twice: 'm' and 's'"):
        layer.StepModeContainer(True, "m", nn.ReLU(), step_mode="s")
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        layer.StepModeContainer(True, "x", nn.ReLU())
    for mode in ("s", "m"):
        with pytest.raises(ValueError, match=r"stateless, got 0 \(Accumulator\)"):
            layer.StepModeContainer(False, mode, Accumulator())
    net = layer.StepModeContainer(False, nn.Linear(3, 3))
    net.append(Accumulator())
    with pytest.raises(ValueError, match=r"stateless, got 1 \(Accumulator\)"):
        net(torch.rand(5, 3))
    with pytest.raises(ValueError, match=r"but these have 'm': 0 \(Flatten\)"):
        layer.StepModeContainer(True, layer.Flatten(step_mode="m"))
