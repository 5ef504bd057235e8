"""Facts that hold as long as everything is the same, or equal to what it was."""

import pytest
import torch
from spikeframe.kernels.guards import ABSENT, Guards
from torch import nn

from spikeframe import neuron


class Node(nn.Module):
    """What is guarded here."""

    scale = 2.0

    def method(self, given=1):
        return given


class Kin(Node):
    """One with the same of everything."""


def guarded(node):
    """Guards of each sort."""
    guards = Guards()
    guards.value("", "flag", node.flag)
    guards.value("", "inner", node.inner)
    guards.value("", "two words", getattr(node, "two words"))
    guards.value("inner", "mode", node.inner.mode)
    guards.kind("", "tau", node.tau)
    guards.kind("inner", "alpha", node.inner.alpha)
    guards.kind("", "weight", node.weight)
    guards.of_class("", "method", Node.method)
    guards.in_class(Node, "scale")
    guards.in_class(Node, "missing")
    guards.absent("", "extra")
    guards.empty("inner", ["_forward_hooks"])
    guards.keys("stores", tuple(node.stores))
    guards.in_namespace(globals(), "BOUND", BOUND)
    guards.in_namespace(globals(), "UNBOUND", ABSENT)
    guards.cls("", Node)
    guards.code(Node.method)
    guards.fact(lambda node: (node.tau > 1, "x"), (True, "x"))
    assert guards.hold(node)
    assert guards.same_as_then(node)
    return guards


BOUND = (1.0, "text")


@pytest.fixture
def node():
    """A node with an inner module."""
    node, inner = Node(), nn.Module()
    node.flag, node.tau, node.stores = (1000, 0.5), 2.0, {"v": 0, "w": 0}
    node.weight = nn.Parameter(torch.ones(3))
    setattr(node, "two words", "text")
    inner.mode, inner.alpha = "a", 1.0
    node.inner = inner
    return node


CHANGES = {
    "value": lambda node, patch: setattr(node, "flag", (1000, 1.5)),
    "type of a value": lambda node, patch: setattr(node, "flag", (1000.0, 0.5)),
    "odd name": lambda node, patch: setattr(node, "two words", "other"),
    "module": lambda node, patch: setattr(node, "inner", nn.Module()),
    "module, in its store": lambda node, patch: node._modules.update(inner=nn.Module()),
    "module, hidden by an attribute": lambda node, patch: node.__dict__.update(inner=nn.Module()),
    "module, hidden by the class": lambda node, patch: patch.setattr(
        Node, "inner", nn.Module(), raising=False
    ),
    "module, hidden by a parameter": lambda node, patch: node._parameters.update(
        inner=nn.Parameter(torch.ones(1))
    ),
    "way to find it": lambda node, patch: patch.setattr(
        Node,
        "__getattr__",
        lambda self, name: nn.Module() if name == "inner" else nn.Module.__getattr__(self, name),
    ),
    "way to read all": lambda node, patch: patch.setattr(
        Node,
        "__getattribute__",
        lambda self, name: nn.Module() if name == "inner" else object.__getattribute__(self, name),
    ),
    "value inside": lambda node, patch: setattr(node.inner, "mode", "b"),
    "kind": lambda node, patch: setattr(node, "tau", 2),
    "kind inside": lambda node, patch: setattr(node.inner, "alpha", None),
    "kind of a tensor": lambda node, patch: setattr(node, "weight", nn.Parameter(torch.ones(4))),
    "method": lambda node, patch: patch.setattr(Node, "method", lambda self: 2),
    "method, hidden": lambda node, patch: setattr(node, "method", Node.method),
    "code, as by a reload": lambda node, patch: patch.setattr(
        Node.method, "__code__", (lambda self, given=1: 2).__code__
    ),
    "class": lambda node, patch: patch.setattr(node, "__class__", Kin),
    "class attribute": lambda node, patch: patch.setattr(Node, "scale", 3.0),
    "class attribute, new": lambda node, patch: patch.setattr(Node, "missing", 3, raising=False),
    "absent": lambda node, patch: setattr(node, "extra", 1),
    "hook": lambda node, patch: node.inner.register_forward_hook(print),
    "keys": lambda node, patch: node.stores.update(u=0),
    "order of keys": lambda node, patch: node.stores.update(v=node.stores.pop("v")),
    "global": lambda node, patch: patch.setitem(globals(), "BOUND", (1.0, "other")),
    "global, gone": lambda node, patch: patch.delitem(globals(), "BOUND"),
    "global, new": lambda node, patch: patch.setitem(globals(), "UNBOUND", 1),
    "fact": lambda node, patch: setattr(node, "tau", 0.5),
    "gone": lambda node, patch: delattr(node, "tau"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_and_its_undoing(node, monkeypatch, change):
    guards, store = guarded(node), dict(vars(node))
    stores = {name: dict(store[name]) for name in ("_modules", "_parameters", "stores")}
    inner = dict(vars(node.inner))
    with monkeypatch.context() as patch:
        CHANGES[change](node, patch)
        assert not guards.hold(node)
    node.__dict__.clear()
    node.__dict__.update(store)
    for name, content in stores.items():
        node.__dict__[name].clear()
        node.__dict__[name].update(content)
    node.inner.__dict__.update(inner)
    node.inner._forward_hooks.clear()
    assert guards.hold(node)


def test_equal_values_hold_too(node, monkeypatch):
    guards = guarded(node)
    thousand, text = int("1000"), "".join(("te", "xt"))
    node.flag = (thousand, 0.5)
    monkeypatch.setitem(globals(), "BOUND", (1.0, text))
    node.tau, node.inner.alpha = 9.0, 9.0
    node.weight = nn.Parameter(torch.zeros(3))
    monkeypatch.setattr(Node.method, "__code__", Node.method.__code__.replace())
    assert guards.hold(node)
    monkeypatch.setattr(Node.method, "__defaults__", (2,))
    assert not guards.hold(node)
    monkeypatch.setattr(Node.method, "__defaults__", (1,))
    assert guards.hold(node)
    node.flag = (thousand, -0.5)
    assert not guards.hold(node)


def test_a_submodule_is_read_where_it_is_kept():
    """As one way to find it is as good as the other, the text is what tells them apart."""
    calls = []

    class Counting(neuron.IFNode):
        def __getattr__(self, name):
            calls.append(name)
            return super().__getattr__(name)

    for make, asked in ((neuron.IFNode, []), (Counting, ["surrogate_function"])):
        node, guards = make(), Guards()
        guards.value("", "surrogate_function", node.surrogate_function)
        guards.value("surrogate_function", "spiking", True)
        assert guards.hold(node)
        calls.clear()
        assert guards.hold(node)
        assert calls == asked
