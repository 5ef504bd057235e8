"""What is the same at every step is computed again where it may have changed."""

from types import SimpleNamespace

import torch
from spikeframe.kernels.guards import Guards
from spikeframe.kernels.parameters import Parameters
from spikeframe.kernels.uniform import Uniform
from torch import nn


def parameters_of(node, make):
    """Parameters made of the attributes of a node, and how often numbers were computed."""
    guards, calls = Guards(), []

    def counted(value):
        calls.append(value)
        return value * 2.0

    leaves = {n: Uniform.attribute(guards, n, v) for n, v in vars(node).items()}
    uniforms = make(leaves, lambda u: u.call(counted, u))
    calls.clear()
    return Parameters(uniforms), calls


def test_numbers_are_computed_again_when_one_changes():
    node = SimpleNamespace(a=1.5, b=2.5)
    parameters, calls = parameters_of(node, lambda of, counted: [counted(of["a"]), of["b"] + 1.0])
    assert parameters(node) == (3.0, 3.5)
    assert parameters(node) is parameters(node)
    assert len(calls) == 1
    node.b = 4.0
    assert parameters(node) == (3.0, 5.0)
    node.a = 0.5
    assert parameters(node) == (1.0, 5.0)
    assert parameters.paths == ("a", "b")


def test_the_sign_of_zero_and_the_type_are_told_apart():
    node = SimpleNamespace(a=0.0)
    parameters, _ = parameters_of(node, lambda of, counted: [of["a"]])
    assert str(parameters(node)[0]) == "0.0"
    node.a = -0.0
    assert str(parameters(node)[0]) == "-0.0"
    node.a = 0
    assert type(parameters(node)[0]) is int


def test_what_is_made_of_tensors_is_computed_at_every_call():
    node = SimpleNamespace(w=nn.Parameter(torch.tensor([0.5])), a=2.0)
    parameters, calls = parameters_of(
        node, lambda of, counted: [counted(of["a"]), of["w"] * of["a"], of["w"]]
    )
    first, second = parameters(node), parameters(node)
    assert len(calls) == 1
    assert first[2] is second[2] is node.w
    assert first[1] is not second[1]
    second[1].sum().backward()
    assert node.w.grad.item() == 2.0
    with torch.no_grad():
        node.w.fill_(3.0)
    node.a = 4.0
    assert [torch.as_tensor(p).item() for p in parameters(node)] == [8.0, 12.0, 3.0]


def test_no_tensor_is_kept():
    node = SimpleNamespace(w=torch.ones(2), a=2.0)
    parameters, _ = parameters_of(node, lambda of, counted: [of["w"] * of["a"], of["a"] * 1.5])
    parameters(node)
    numbers, values = parameters.last
    assert not any(isinstance(value, torch.Tensor) for value in (*numbers, *values))
