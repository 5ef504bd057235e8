"""Hooks see while their monitor lives and watches; classes name what is watched."""

import gc
import weakref

import pytest
from torch import nn

from spikeframe.monitor.hooks import Monitor, watched_modules


class Counter(Monitor):
    """Notes what its hooks are called with."""

    def __init__(self, *nets):
        super().__init__()
        self.seen = []
        for number, net in enumerate(nets):
            handle = net.register_forward_hook(self.hook(Counter.see, number))
            self._handles.append(handle)

    def see(self, number, module, inputs, output):
        self.seen.append((number, output))


def test_a_hook_passes_what_is_fixed_and_what_is_given():
    first, second = nn.Identity(), nn.Identity()
    counter = Counter(first, second)
    assert counter.is_enable() is True
    second("b")
    first("a")
    assert counter.seen == [(1, "b"), (0, "a")]


def test_a_monitor_can_pause():
    net = nn.Identity()
    counter = Counter(net)
    counter.disable()
    assert counter.is_enable() is False
    net("a")
    counter.enable()
    net("b")
    assert counter.seen == [(0, "b")]


@pytest.mark.parametrize("way", ["close", "remove_hooks", "context", "error"])
def test_letting_go_is_for_good_and_may_be_said_twice(way):
    net, other = nn.Identity(), nn.Identity()
    kept = other.register_forward_hook(lambda *_: None)
    counter = Counter(net, other)
    if way == "context":
        with counter as entered:
            assert entered is counter
            net("a")
    elif way == "error":
        net("a")
        with pytest.raises(ZeroDivisionError), counter:
            raise ZeroDivisionError
    else:
        net("a")
        getattr(counter, way)()
    net("b")
    other("c")
    assert not net._forward_hooks
    assert list(other._forward_hooks) == [kept.id]
    counter.close()
    counter.enable()
    net("d")
    assert counter.seen == [(0, "a")]


def test_a_net_does_not_keep_its_monitor():
    net = nn.Identity()
    counter = Counter(net)
    reference, hook = weakref.ref(counter), counter.hook(Counter.see, 0)
    del counter
    gc.collect()
    assert reference() is None
    assert not net._forward_hooks
    assert hook(net, (), "a") is None


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
