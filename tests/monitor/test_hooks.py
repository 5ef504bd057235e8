"""Hooks see while their monitor lives and watches; classes name what is watched."""

import gc
import weakref

import pytest
import torch
from torch import nn

from spikeframe.monitor import OutputMonitor
from spikeframe.monitor.hooks import Monitor, watched_modules


class Counter(Monitor):
    """Notes what its hook is called with."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def see(self, number, module, inputs, output):
        self.seen.append((number, output))


def test_a_hook_passes_what_is_fixed_and_what_is_given():
    counter = Counter()
    first, second = (counter.hook(Counter.see, number) for number in range(2))
    assert counter.is_enable() is True
    second(nn.Identity(), (), "b")
    first(nn.Identity(), (), "a")
    assert counter.seen == [(1, "b"), (0, "a")]


def test_a_hook_does_nothing_while_its_monitor_pauses_or_when_it_is_gone():
    counter = Counter()
    hook, seen = counter.hook(Counter.see, 0), counter.seen
    counter.disable()
    assert counter.is_enable() is False
    hook(nn.Identity(), (), "a")
    counter.enable()
    hook(nn.Identity(), (), "b")
    reference = weakref.ref(counter)
    del counter
    gc.collect()
    assert reference() is None
    assert hook(nn.Identity(), (), "c") is None
    assert seen == [(0, "b")]


@pytest.mark.parametrize("way", ["close", "remove_hooks", "context", "error", "del"])
def test_letting_go_is_for_good_and_of_its_own_hooks(way):
    net = nn.Sequential(nn.ReLU(), nn.ReLU())
    kept = net[0].register_forward_hook(lambda *_: None)
    monitor = OutputMonitor(net, nn.ReLU)
    if way == "context":
        with monitor as entered:
            assert entered is monitor
    elif way == "error":
        with pytest.raises(ZeroDivisionError), monitor:
            raise ZeroDivisionError
    elif way == "del":
        del monitor
    else:
        getattr(monitor, way)()
    assert list(net[0]._forward_hooks) == [kept.id]
    assert not net[1]._forward_hooks
    if way != "del":
        monitor.close()
        monitor.enable()
        net(torch.ones(2))
        assert monitor.records == []


class Block(nn.Sequential):
    """A class of the net's own."""


NET = Block(nn.Linear(1, 1), nn.Sequential(nn.ReLU(), Block(nn.LeakyReLU())))


@pytest.mark.parametrize(
    ("instance", "names"),
    [
        (None, ["", "1.1"]),
        (nn.Sequential, ["", "1", "1.1"]),
        (nn.ReLU, ["1.0"]),
        ((nn.ReLU, nn.Linear), ["0", "1.0"]),
    ],
)
def test_watched_modules_are_those_of_a_class(instance, names):
    found = watched_modules(NET, instance)
    assert list(found) == names
    assert all(NET.get_submodule(name) is module for name, module in found.items())


@pytest.mark.parametrize(
    ("net", "instance", "error", "text"),
    [
        ([NET], None, TypeError, "net must be an nn.Module, got list"),
        (NET, "ReLU", TypeError, "instance must be a class or a tuple of classes, got 'ReLU'"),
        (NET, (nn.ReLU, "x"), TypeError, "a class or a tuple of classes, got .*'x'"),
        (NET, nn.GELU, ValueError, "Block has no module of class GELU to watch"),
        (NET, (nn.GELU, nn.Tanh), ValueError, "no module of class GELU or Tanh to watch"),
    ],
)
def test_what_cannot_be_watched(net, instance, error, text):
    with pytest.raises(error, match=text):
        watched_modules(net, instance)
