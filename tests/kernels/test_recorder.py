"""What the stand-in for ``self`` gives for each attribute, and what becomes of assignments."""

import math

import pytest
import torch
from spikeframe.kernels.expression import leaf
from spikeframe.kernels.guards import Guards
from spikeframe.kernels.recorder import Recorder
from spikeframe.kernels.symbol import Symbol
from spikeframe.kernels.uniform import is_uniform
from spikeframe.kernels.untraceable import Untraceable
from torch import nn

from spikeframe import neuron, surrogate


class Node(neuron.BaseNode):
    """An attribute of every kind."""

    rate = 0.5
    label = "text"

    def __init__(self):
        super().__init__(surrogate_function=surrogate.ATan())
        self.tau, self.n, self.flag, self.none = 2.0, 3, True, None
        self.pair, self.bend, self.wave = (1.0, "a"), torch.tanh, 1j
        self.w = nn.Parameter(torch.ones(3))
        self.layer, self.notes = nn.Softmax(0), []
        self.double = lambda x: 2.0 * x
        self.primitive_function = surrogate.Sigmoid(spiking=False)

    @property
    def speed(self):
        return 1.0 / self.tau

    @staticmethod
    def half(x):
        return x / 2.0

    @classmethod
    def fraction(cls, x):
        return x * cls.rate

    def twice(self, x):
        return self.half(x) * 4.0


@pytest.fixture
def recorder():
    """One that traces a node of two states and two inputs."""
    node = Node()
    node.register_memory("a", 0.0)
    return Recorder(node, ("v", "a"), 2, False, Guards())


def shown(value):
    return repr(value.expression)


def test_memories_are_symbols_and_take_what_is_assigned(recorder):
    stand_in = recorder.stand_in()
    assert shown(stand_in.v) == "state_v"
    assert stand_in.v is stand_in.v
    x, y = recorder.symbols()
    stand_in.a = stand_in.v + x * y
    assert shown(recorder.states["a"]) == "add(state_v, mul(x0, x1))"
    assert shown(stand_in.a) == "add(state_v, mul(x0, x1))"
    assert shown(recorder.states["v"]) == "state_v"
    assert recorder.node.a == 0.0
    stand_in.a = 0.5  # what a state may end as is asked at the end
    assert recorder.states["a"] == 0.5


def test_an_input_is_not_changed_in_place(recorder):
    x, _ = recorder.symbols()
    with pytest.raises(Untraceable, match="changes its input in place"):
        x += 1.0


@pytest.mark.parametrize("name", ["tau", "n", "w", "rate", "speed"])
def test_numbers_and_tensors_become_parameters(recorder, name):
    value = getattr(recorder.stand_in(), name)
    assert is_uniform(value)
    now = getattr(recorder.node, name)
    assert value.value is now or value.value == now
    x, _ = recorder.symbols()
    assert shown(x * value) == "mul(x0, p0)"
    assert shown(x + value) == "add(x0, p0)"
    assert [uniform for uniform, _ in recorder.parameters] == [value]
    assert recorder.guards.hold(recorder.node)


def test_an_attribute_is_one_parameter_however_often_it_is_read(recorder):
    stand_in, (x, _) = recorder.stand_in(), recorder.symbols()
    assert shown(x * stand_in.tau + stand_in.tau) == "add(mul(x0, p0), p0)"


@pytest.mark.parametrize("name", ["flag", "none", "label", "pair", "bend", "training"])
def test_constants_are_themselves_and_guarded(recorder, name, monkeypatch):
    node = recorder.node
    assert getattr(recorder.stand_in(), name) is getattr(node, name)
    assert recorder.guards.hold(node)
    monkeypatch.setattr(node, name, "other")
    assert not recorder.guards.hold(node)


@pytest.mark.parametrize("name", ["half", "fraction", "twice", "double"])
def test_functions_run_on_symbols_and_are_guarded(recorder, name, monkeypatch):
    node, (x, _) = recorder.node, recorder.symbols()
    assert type(getattr(recorder.stand_in(), name)(x)) is Symbol
    assert recorder.guards.hold(node)
    monkeypatch.setattr(node, name, lambda x: x)
    assert not recorder.guards.hold(node)


def test_a_method_sees_the_stand_in(recorder):
    method = recorder.stand_in().twice
    assert method.__func__ is Node.twice
    assert method.__self__ is not recorder.node
    assert isinstance(method.__self__, Node)
    assert shown(method(recorder.symbols()[0])) == "mul(div(x0, 2.0), 4.0)"


def test_what_is_not_there_raises_and_is_guarded(recorder):
    with pytest.raises(AttributeError, match="'Node' object has no attribute 'missing'"):
        _ = recorder.stand_in().missing
    assert not hasattr(recorder.stand_in(), "missing")
    assert recorder.guards.hold(recorder.node)
    recorder.node.missing = 1.0
    assert not recorder.guards.hold(recorder.node)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("layer", "uses the module layer .Softmax., which is none of torch's own nn.Linear"),
        ("notes", "reads notes, a list, which may change unseen"),
        ("_memories", "reads _memories, a dict"),
    ],
)
def test_what_may_change_unseen_is_refused(recorder, name, reason):
    with pytest.raises(Untraceable, match=reason):
        getattr(recorder.stand_in(), name)


def test_nothing_else_is_assigned_or_deleted(recorder):
    stand_in = recorder.stand_in()
    with pytest.raises(Untraceable, match="assigns self.total, which is no memory"):
        stand_in.total = 1.0
    with pytest.raises(Untraceable, match="assigns self.alpha, which is no memory"):
        recorder.stand_in("surrogate_function").alpha = 1.0
    with pytest.raises(Untraceable, match="deletes self.v"):
        del stand_in.v
    assert recorder.node.surrogate_function.alpha == 2.0


def test_what_is_no_real_number_is_computed_with_by_nobody(recorder):
    x, _ = recorder.symbols()
    with pytest.raises(Untraceable, match="computes with a complex"):
        recorder.symbols()[0] * recorder.stand_in().wave
    recorder.node.phase = torch.ones(3, dtype=torch.complex64)
    with pytest.raises(Untraceable, match="computes with a complex tensor"):
        x * recorder.stand_in().phase


def test_a_surrogate_gives_the_spike_with_its_gradient(recorder):
    stand_in = recorder.stand_in()
    spike = stand_in.surrogate_function(stand_in.v)
    u, slope, value = spike.expression.args
    assert (repr(u), spike.expression.op) == ("state_v", "spike")
    assert repr(value) == "float(ge(state_v, 0.0))"
    numbers = [uniform.value for uniform, _ in recorder.parameters]
    assert any(math.isclose(number, 2.0 * scale) for number in numbers for scale in (0.5, 1.0))
    assert "state_v" in repr(slope)
    with pytest.raises(Untraceable, match="fires at a value that is not of the data"):
        stand_in.surrogate_function(stand_in.w)


def test_a_surrogate_that_does_not_spike_is_its_primitive(recorder):
    value = recorder.stand_in().primitive_function(recorder.symbols()[0])
    assert type(value) is Symbol
    assert value.expression.op != "spike"


def test_hooks_of_a_surrogate_are_seen(recorder):
    _ = recorder.stand_in().surrogate_function
    assert recorder.guards.hold(recorder.node)
    handle = recorder.node.surrogate_function.register_forward_hook(lambda *given: None)
    assert not recorder.guards.hold(recorder.node)
    with pytest.raises(Untraceable, match="ATan with hooks registered on it"):
        _ = recorder.stand_in().surrogate_function
    handle.remove()
    assert recorder.guards.hold(recorder.node)


def test_a_node_of_another_class_is_another(recorder):
    recorder.stand_in()
    assert recorder.guards.hold(recorder.node)
    recorder.node.__class__ = type("Kin", (Node,), {"__doc__": "The same but for its class."})
    assert not recorder.guards.hold(recorder.node)


def test_expressions_are_of_one_pool(recorder):
    x, y = recorder.symbols()
    assert (x + y).expression is (x + y).expression
    assert leaf("x0", recorder.pool) is x.expression
