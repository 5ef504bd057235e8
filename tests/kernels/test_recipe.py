"""Recipes give what the recorded calls give."""

import pytest
import torch
from cases import NEURONS, SURROGATES
from foreign_neurons import FOREIGN
from spikeframe.kernels.cache import traced
from spikeframe.kernels.recipe import follow, paths, recipe

from spikeframe import neuron


class Recorded(neuron.BaseNode):
    """Computes its parameters in every way that a recipe knows."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = torch.nn.Parameter(torch.tensor([0.3, 0.7]))
        self.count, self.tau = 3, 1.7

    def neuronal_charge(self, x):
        with torch.no_grad():
            flat = self.w.exp()
        pair = torch.stack([self.w, self.w.double().to(torch.float32)]).mean(dim=0)
        scale = torch.nn.functional.softplus(self.w, beta=2.0) * self.count**2
        decay = 1.0 - 1.0 / self.tau
        self.v = (
            self.v * decay
            + x * pair * scale
            + flat.unsqueeze(0).mT.squeeze(1) * round(self.tau, 1)
        )


def nodes():
    for case in NEURONS:
        yield case(v_reset=-0.3), 1
    for case in SURROGATES:
        yield neuron.LIFNode(surrogate_function=case.make()), 1
    for _, build, n in FOREIGN:
        yield build(), n


def uniforms(node, n=1):
    known = traced(node, n)
    return [uniform for uniform, _ in known.trace.parameters] if known.trace else []


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b) and a.requires_grad == b.requires_grad
    return type(a) is type(b) and a == b


def test_recipes_are_plain_and_give_the_same():
    count = 0
    for node, n in nodes():
        for uniform in uniforms(node, n):
            made = recipe(uniform)
            assert is_plain(made)
            assert equal(follow(made, node), uniform.evaluate(node))
            count += 1
    assert count > 100


def is_plain(value):
    """Whether torch.compile can take it for a constant."""
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def test_all_kinds_of_calls():
    node = Recorded()
    found = uniforms(node)
    assert found, traced(node).reason
    kinds = set()
    for uniform in found:
        made = recipe(uniform)
        kinds |= {word for word in flat(made) if isinstance(word, str)}
        assert equal(follow(made, node), uniform.evaluate(node))
    assert {"read", "is", "dtype", "list", "method", "operator", "torch"} <= kinds
    assert {"functional", "builtins"} <= kinds


def flat(made):
    for part in made:
        if isinstance(part, tuple):
            yield from flat(part)
        else:
            yield part


def test_paths_name_what_is_read():
    node = neuron.LIFNode(tau=3.0)
    read = {path for uniform in uniforms(node) for path in paths(recipe(uniform))}
    assert read == {"tau", "v_reset", "v_threshold", "surrogate_function.alpha"}


def test_a_changing_number_is_computed_as_a_tensor_to_the_same_bit():
    node = neuron.LIFNode(tau=3.0)
    for number in torch.rand(50, dtype=torch.float64).add(1.01).tolist():
        node.tau = number
        inverse = ("call", "operator", "truediv", False, (("is", 1.0), ("read", "tau")), ())
        made = ("call", "operator", "sub", False, (("is", 1.0), inverse), ())
        value = follow(made, node, ("tau",))
        assert value.dtype == torch.float64
        assert value.item() == follow(made, node) == 1.0 - 1.0 / number


@pytest.mark.parametrize(
    "made",
    [
        ("call", "operator", "pow", False, (("read", "tau"), ("is", 2)), ()),
        ("call", "operator", "mul", False, (("read", "tau"), ("read", "w")), ()),
    ],
    ids=["power", "tensor"],
)
def test_what_torch_may_round_otherwise_is_left_to_python(made):
    node = neuron.LIFNode(tau=3.0)
    node.w = torch.ones(2)
    assert equal(follow(made, node, ("tau",)), follow(made, node))


def test_what_has_no_recipe():
    class Device(neuron.BaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + x * torch.tensor(2.0, device=torch.device("cpu"))

    found = uniforms(Device())
    assert any(recipe(uniform) is None for uniform in found)
