"""What is the same at every step, as Python that is written out."""

from types import SimpleNamespace

import pytest
import torch
from spikeframe.kernels.evaluation import evaluator
from spikeframe.kernels.guards import Guards
from spikeframe.kernels.uniform import Uniform
from torch import nn


def values_of(node, *names):
    guards = Guards()
    return [Uniform.attribute(guards, name, getattr(node, name)) for name in names]


def test_a_call_that_several_share_is_made_once():
    node, calls = SimpleNamespace(w=nn.Parameter(torch.tensor([0.5])), a=2.0), []

    def counted(value, *others, **named):
        calls.append((others, named))
        return value * 2.0

    w, a = values_of(node, "w", "a")
    shared = w.call(counted, w, a, by=[a, (1, a)])
    again = w.call(counted, w, a, by=[a, (1, a)])
    other = w.call(counted, w, a, by=[a, (1, w)])
    calls.clear()
    found = evaluator([shared + 1.0, shared * a, again, other, w])(node)
    assert calls == [((2.0,), {"by": [2.0, (1, 2.0)]}), ((2.0,), {"by": [2.0, (1, node.w)]})]
    assert [value.item() for value in found] == [2.0, 2.0, 1.0, 1.0, 0.5]
    assert found[4] is node.w
    (found[0] + found[1]).sum().backward()
    assert node.w.grad.item() == 6.0
    node.a = 3.0
    assert evaluator([shared * a])(node)[0].item() == 3.0


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1, True), (1, 1.0), (0, False)])
def test_numbers_that_are_equal_but_not_alike_are_told_apart(one, other):
    def second(a, b):
        return b

    (a,) = values_of(SimpleNamespace(a=2.0), "a")
    given = [a.call(second, a, number) for number in (one, other)]
    found = evaluator(given)(SimpleNamespace(a=2.0))
    assert [repr(value) for value in found] == [repr(one), repr(other)]


def test_what_cannot_be_hashed_and_names_that_are_no_names_are_given_as_they_are():
    node = SimpleNamespace(**{"a": 2.0, "class": 3.0})
    a, b = values_of(node, "a", "class")
    found = evaluator([a.call(lambda a, given: given, a, {1, 2}), a + b, b])(node)
    assert found == ({1, 2}, 5.0, 3.0)


def test_a_call_without_gradient_stays_one():
    node = SimpleNamespace(w=nn.Parameter(torch.ones(2)))
    (w,) = values_of(node, "w")
    with torch.no_grad():
        held = w.sigmoid()
    free = w.sigmoid()
    found = evaluator([held, free])(node)
    assert [value.requires_grad for value in found] == [False, True]
