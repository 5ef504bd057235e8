"""What is known of a node before it runs in a graph."""

from dataclasses import replace

import torch
from spikeframe.kernels import plan as planning
from spikeframe.kernels.parse import parse
from spikeframe.kernels.plan import LINES, plan, program_of
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from spikeframe import neuron, surrogate

NOTHING = ((), (), ())


class Untraced(neuron.BaseNode):
    """Mixes neurons."""

    def neuronal_charge(self, x):
        self.v = self.v + x.sum()


class Gained(neuron.BaseNode):
    """Multiplies by what is computed of an attribute."""

    def __init__(self, gain, **options):
        super().__init__(**options)
        self.gain = gain

    def neuronal_charge(self, x):
        self.v = self.v + x * (2.0 * self.gain)


def planned(node, dtype=torch.float32):
    return plan(node, 1, dtype, "cpu")


def test_a_node_of_numbers():
    why, names, recipes, (flags, owners, methods), changing = planned(neuron.LIFNode())
    assert (why, names, changing) == ("", ("v",), ())
    assert ("read", "tau") in recipes
    assert ("", "detach_reset", False) in flags
    assert owners == ("surrogate_function",)
    assert ("", "neuronal_charge") in methods
    assert ("surrogate_function", "derivative") in methods


def test_plans_are_of_texts_numbers_and_tuples():
    def check(value):
        if type(value) is tuple:
            return all(map(check, value))
        return value is None or type(value) in (str, float, int, bool)

    for node in (neuron.LIFNode(), neuron.ParametricLIFNode(), Untraced(), neuron.Leaky(0.9)):
        assert check(planned(node))
        if type(node) is not Untraced:
            assert check(program_of(node, 1, torch.float32, "cpu", (), ()))


def test_a_parameter_is_read_and_computed_of():
    _, _, recipes, *_ = planned(Gained(nn.Parameter(torch.ones(3))))
    assert ("call", "operator", "mul", False, (("is", 2.0), ("read", "gain")), ()) in recipes


def test_what_follows_its_lines_says_why():
    assert planned(neuron.IFNode(backend="eager")) == (LINES, (), (), NOTHING, ())
    why, *rest = planned(Untraced())
    assert "neuronal_charge" in why
    assert "sum, which has no elementwise kernel form" in why
    assert rest == [(), (), NOTHING, ()]
    why, *rest = planned(Untraced(backend="torch"))
    assert "backend 'torch' cannot run Untraced on cpu" in why
    assert rest == [(), (), NOTHING, ()]


def test_a_value_that_no_recipe_makes(monkeypatch):
    monkeypatch.setattr(planning, "recipe", lambda uniform: None)
    why, *rest = planned(neuron.LIFNode())
    assert why == "computes a parameter by what no graph can follow"
    assert rest == [(), (), NOTHING, ()]


def test_numbers_that_were_others_before_are_named():
    node = neuron.LIFNode(tau=2.0)
    assert planned(node)[-1] == ()
    assert planned(node)[-1] == ()
    node.tau = 3.0
    assert planned(node)[-1] == ("tau",)
    node.tau = 2.0
    assert planned(node)[-1] == ("tau",)
    assert planned(neuron.LIFNode(tau=3.0))[-1] == ()


def test_the_program_of_a_plan_is_what_is_wanted():
    node = neuron.ParametricLIFNode(backend="torch")

    def program(sequences, wanted, dtype=torch.float32):
        why, engine, text = program_of(node, 1, dtype, "cpu", sequences, wanted)
        assert (why, engine) == ("", "torch")
        return parse(text)

    assert program((), None).backward is None
    assert program((0,), None).n_outputs == 2
    assert program((), ()).differentiated == ()
    (learned,) = [i for i, made in enumerate(planned(node)[2]) if "w" in repr(made)]
    assert program((), (learned,)).differentiated == (learned,)
    node = neuron.LIFNode(surrogate_function=surrogate.ATan(), backend="torch")
    assert program((), ()).saved == ("value",)
    assert program((), (), torch.float16).saved == ("bit", "value")  # which a rounded u may flip


def test_an_engine_that_cannot_build_is_passed_over(monkeypatch):
    node = neuron.LIFNode()
    for name, row in planning.BACKENDS.items():
        if row.engine is not None and name != "torch":
            absent = replace(row, why_not=lambda node, device, call: "it is not here")
            monkeypatch.setitem(planning.BACKENDS, name, absent)
    assert program_of(node, 1, torch.float32, "cpu", (), None)[:2] == ("", "torch")


def test_what_is_held_outside_of_the_graph():
    node = neuron.IFNode()
    function = node.surrogate_function
    assert planning.is_held(node, "surrogate_function", function)
    assert not planning.is_held(node, "surrogate_function", surrogate.ATan())
    assert planning.is_method(node, "", "neuronal_charge", neuron.IFNode.neuronal_charge)
    assert not planning.is_method(node, "", "neuronal_charge", neuron.LIFNode.neuronal_charge)
    assert planning.is_method(node, "surrogate_function", "fire", type(function).fire)


def test_transforms_inside_of_a_graph_follow_the_lines():
    assert planning.why_lines_inside() is None
    found = []

    def look(x):
        found.append(planning.why_lines_inside())
        return x

    torch.func.vmap(look)(torch.ones(2))
    assert found == ["torch.func inside of torch.compile follows the node's own lines"]
    with torch.autograd.forward_ad.dual_level():
        assert "no forward-mode derivative" in planning.why_lines_inside()


def test_nobody_watches_a_plan():
    class Watching(TorchDispatchMode):
        """Counts operations."""

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    node, seen = neuron.LIFNode(), []
    with Watching():
        assert planned(node)[0] == ""
        assert program_of(node, 1, torch.float32, "cpu", (), None)[0] == ""
    assert seen == []
