"""A trace is used again exactly as long as what it took for granted holds."""

import copy
import gc
import pickle
import sys
import threading
import types
import weakref

import pytest
import torch
from cases import NEURONS, sequence
from spikeframe.kernels.cache import traced
from torch import nn

from spikeframe import neuron, surrogate

ALPHA = 0.5


def scaled(x):
    return x * ALPHA


class Leaky(neuron.BaseNode):
    rate = 0.9
    factor = 1.0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.tau, self.flag, self.n = 2.0, True, 2

    @property
    def decay(self):
        return self.rate * 1.0

    @staticmethod
    def twice(x):
        return x * 2.0

    @classmethod
    def through_class(cls, x):
        return x * cls.factor

    def neuronal_charge(self, x):
        if self.flag:
            x = self.twice(x)
        for _ in range(self.n):
            x = x * self.decay
        if self.tau > 1.5:
            x = x + 0.1
        if hasattr(self, "extra"):
            x = x * self.extra
        self.v = self.v + self.through_class(scaled(x)) * self.__class__.rate / self.tau


class Child(Leaky):
    def neuronal_charge(self, x):
        super().neuronal_charge(x)


def assert_current(node):
    """What runs now is what the lines say now."""
    x_seq = sequence((3, 5)) * 3
    results = []
    for backend in ("eager", "torch"):
        node.backend = backend
        node.reset()
        results.append((node(x_seq), node.v))
    assert torch.equal(*(spikes for spikes, _ in results))
    assert torch.equal(*(v for _, v in results))


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_a_trace_is_used_again(case):
    node = case(step_mode="m")
    first = traced(node)
    node(sequence((3,)))
    node.reset()
    node(sequence((3, 5)))
    assert traced(node) is first
    assert traced(node, 1, True) is not first
    assert traced(node, 1, True) is traced(node, 1, True)


def test_numbers_are_arguments_not_keys():
    node = neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan(2.0))
    first = traced(node)
    node.tau, node.v_threshold, node.surrogate_function.alpha = 3.0, 0.7, 5.0
    assert traced(node) is first
    node.v_reset = -0.5
    assert traced(node) is first
    assert_current(neuron.LIFNode(tau=2.0, step_mode="m"))


CHANGES = {
    "flag": lambda node: setattr(node, "flag", False),
    "int where Python needs one": lambda node: setattr(node, "n", 3),
    "decision by a number": lambda node: setattr(node, "tau", 1.2),
    "number to Parameter": lambda node: _replace(node, "v_threshold", nn.Parameter(torch.ones(5))),
    "number to None": lambda node: setattr(node, "v_reset", None),
    "number to tensor": lambda node: _replace(node, "v_threshold", torch.full((5,), 0.8)),
    "number to int": lambda node: setattr(node, "tau", 2),
    "detach": lambda node: setattr(node, "detach_reset", True),
    "surrogate": lambda node: setattr(node, "surrogate_function", surrogate.ATan()),
    "spiking": lambda node: node.surrogate_function.set_spiking_mode(False),
    "strict": lambda node: setattr(node.surrogate_function, "strict", True),
    "method of the instance": lambda node: setattr(
        node, "neuronal_charge", types.MethodType(_other_charge, node)
    ),
    "helper hidden by the instance": lambda node: setattr(node, "twice", _four_times),
    "attribute that was absent": lambda node: setattr(node, "extra", 3.0),
    "class attribute hidden": lambda node: setattr(node, "rate", torch.full((5,), 0.3)),
    "another memory": lambda node: node.register_memory("w", 0.0),
}


def _replace(node, name, value):
    delattr(node, name)
    node.set_parameter(name, value)


def _other_charge(self, x):
    self.v = self.v + 0.25 * x


def _four_times(x):
    return x * 4.0


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("cls", [Leaky, Child])
def test_a_change_is_seen(cls, change):
    node = cls(step_mode="m")
    first = traced(node)
    assert first.reason is None
    CHANGES[change](node)
    assert traced(node) is not first
    assert_current(node)


@pytest.mark.parametrize("cls", [Leaky, Child])
@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (Leaky, "neuronal_charge", _other_charge),
        (Leaky, "decay", property(lambda self: 0.5)),
        (Leaky, "twice", staticmethod(_four_times)),
        (Leaky, "factor", 3.0),
        (Leaky, "rate", 0.4),
        (Child, "neuronal_charge", _other_charge),
        (neuron.BaseNode, "neuronal_reset", lambda self, spike: None),
        (surrogate.Sigmoid, "fire", lambda self, u: (u > 0.2).to(u.dtype)),
        (surrogate.Sigmoid, "derivative", lambda self, u: u * 0.0 + 1.0),
        (sys.modules[__name__], "ALPHA", 0.25),
        (sys.modules[__name__], "scaled", _four_times),
    ],
)
def test_a_change_of_a_class_or_module_is_seen(monkeypatch, cls, owner, name, value):
    node = cls(step_mode="m")
    first = traced(node)
    assert first.reason is None
    monkeypatch.setattr(owner, name, value)
    untouched = owner is Child and cls is Leaky
    assert (traced(node) is first) == untouched
    assert_current(node)
    monkeypatch.undo()
    assert traced(node).reason is None
    assert_current(node)


def test_a_hook_registered_on_the_surrogate_later_is_seen():
    node = Leaky(step_mode="m")
    assert traced(node).reason is None
    node.surrogate_function.register_forward_hook(lambda module, inputs, output: output * 0.5)
    assert "hooks registered on it" in traced(node).reason


def test_a_closure_that_changes_is_seen():
    gain = 0.5

    class Closed(neuron.BaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + gain * x

    node = Closed(step_mode="m")
    first = traced(node)
    assert traced(node) is first
    gain = 0.25
    assert traced(node) is not first
    assert_current(node)


def test_a_switch_to_and_fro_finds_the_older_trace():
    node = Leaky()
    first = traced(node)
    node.flag = False
    second = traced(node)
    node.flag = True
    assert traced(node) is first
    node.flag = False
    assert traced(node) is second


def test_a_refusal_is_kept_too_and_reconsidered():
    class Choosy(neuron.BaseNode):
        good = False

        def neuronal_charge(self, x):
            self.v = self.v + (x if self.good else x.cumsum(0))

    node = Choosy(step_mode="m")
    refused = traced(node)
    assert "cumsum" in refused.reason
    assert traced(node) is refused
    with pytest.raises(RuntimeError, match="cumsum"):
        refused.program((), None)
    node.good = True
    assert traced(node).reason is None


@pytest.mark.parametrize("cls", [Leaky, Child])
def test_copies_and_pickles_carry_no_trace(cls):
    node = cls(step_mode="m")
    first = traced(node)
    for copied in (copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert not any("trace" in name for name in vars(copied))
        assert traced(copied) is not first
        assert_current(copied)


def test_a_trace_does_not_keep_its_node_alive():
    def charge(self, x):
        self.v = self.v + x

    for change in (lambda node: None, lambda node: setattr(node, "bad", [])):
        node = Leaky(step_mode="m")
        node.neuronal_charge = types.MethodType(charge, node)
        change(node)
        traced(node)
        gone = weakref.ref(node)
        del node
        gc.collect()
        assert gone() is None


def test_threads_that_trace_the_same_node_agree():
    node = Leaky()
    texts, barrier = [], threading.Barrier(4)

    def work():
        barrier.wait()
        for _ in range(5):
            found = traced(node)
            texts.append(found.program((), []).text)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 20
    assert len(set(texts)) == 1
