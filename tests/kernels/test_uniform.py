"""What is the same at every step is left to Python and torch, and recorded."""

import math
from types import SimpleNamespace

import pytest
import torch
from spikeframe.kernels.guards import Guards
from spikeframe.kernels.uniform import Uniform, is_uniform
from spikeframe.kernels.untraceable import Untraceable
from torch import nn


def make(**attributes):
    node = SimpleNamespace(**attributes)
    guards = Guards()
    return node, guards, [Uniform.attribute(guards, n, v) for n, v in attributes.items()]


NUMBERS = {
    "tau": lambda a, b: 1 - 1 / a,
    "power": lambda a, b: 2.0**a + a**b,
    "rest": lambda a, b: (a % 2 + a // 2) * -b + abs(-a) + round(a, 1),
    "reverse": lambda a, b: 3 - a + 2 / b + 2 % a + 7 // b,
    "augmented": lambda a, b: _augment(a, b),
}


def _augment(a, b):
    a += b
    a *= 2
    return a


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_computed_by_python_in_double(name):
    node, _, (a, b) = make(a=2.7, b=3)
    result = NUMBERS[name](a, b)
    assert is_uniform(result)
    assert result.evaluate(node) == NUMBERS[name](2.7, 3)
    node.a = 1.9
    assert result.evaluate(node) == NUMBERS[name](1.9, 3)


TENSORS = {
    "sigmoid": lambda w, c: torch.sigmoid(w),
    "method": lambda w, c: w.sigmoid().clamp(max=c),
    "mixed": lambda w, c: c * w - 1.0 / w,
    "where": lambda w, c: torch.where(w > c, w, c),
    "list": lambda w, c: torch.stack([w, w * c]).sum(0),
    "index": lambda w, c: w[0] + w[1:].sum(),
    "transposed": lambda w, c: w[None].mT * c,
    "truth": lambda w, c: ((w > 0) & ~(w > 1)) * c,
    "iterated": lambda w, c: sum(w) * c,
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_are_computed_by_torch_with_their_gradient(name):
    w = nn.Parameter(torch.tensor([0.4, 0.5, 1.5]))
    node, _, (a, b) = make(w=w, c=0.6)
    result = TENSORS[name](a, b)
    assert isinstance(result, torch.Tensor)
    found, expected = result.evaluate(node), TENSORS[name](w, 0.6)
    assert torch.equal(found, expected)
    if expected.requires_grad:
        (g,) = torch.autograd.grad(found.sum(), w)
        assert torch.equal(g, torch.autograd.grad(expected.sum(), w)[0])


@pytest.mark.parametrize(
    ("convert", "same", "other"),
    [
        (lambda a: bool(a > 1.5), 3.0, 1.0),
        (lambda a: a == 2.0, None, None),
        (lambda a: math.exp(a), 2.0, 2.5),
        (lambda a: math.isinf(a), 2.0, 3.0),
        (lambda a: int(a), 2.0, 3.5),
        (lambda a: float(a), 2.0, -2.0),
        (lambda a: f"{a:.0f}", 2.01, 3.0),
        (lambda a: str(a), 2.0, 3.0),
    ],
)
def test_what_python_decides_by_becomes_a_guard(convert, same, other):
    node, guards, (a,) = make(a=2.0)
    result = convert(a)
    if same is None:
        assert is_uniform(result)
        return
    node.a = same
    assert guards.hold(node)
    node.a = other
    assert not guards.hold(node)


def test_int_specialises_where_python_needs_one():
    node, guards, (n, size) = make(n=3, size=torch.zeros(2))
    assert [*range(n)] == [0, 1, 2]
    assert [5, 6, 7, 8][n] == 8
    assert len(size) == 2
    node.n = 4
    assert not guards.hold(node)


def test_kinds_are_guarded_and_values_are_not():
    node, guards, _ = make(a=1.0, w=torch.zeros(3))
    node.a, node.w = 5.0, torch.ones(3)
    assert guards.hold(node)
    for name, value in (
        ("a", 1),
        ("a", True),
        ("a", None),
        ("a", torch.tensor(1.0)),
        ("w", torch.zeros(4)),
        ("w", torch.zeros(3).double()),
        ("w", nn.Parameter(torch.zeros(3))),
        ("w", torch.zeros(3, device="meta")),
        ("w", 1.0),
    ):
        before = getattr(node, name)
        setattr(node, name, value)
        assert not guards.hold(node), (name, value)
        setattr(node, name, before)
        assert guards.hold(node)
    del node.a
    assert not guards.hold(node)


def test_guards_tell_zeros_apart_and_let_nan_be():
    node, guards, (a, b) = make(a=0.0, b=float("nan"))
    assert float(a) == 0.0
    assert math.isnan(float(b))
    assert guards.hold(node)
    node.a = -0.0
    assert not guards.hold(node)


def test_a_uniform_value_is_of_its_values_class():
    _, _, (a, n, w, p) = make(a=1.0, n=2, w=torch.zeros(2), p=nn.Parameter(torch.zeros(2)))
    assert isinstance(a, float)
    assert isinstance(n, int)
    assert not isinstance(a, torch.Tensor)
    assert isinstance(w, torch.Tensor)
    assert not isinstance(w, nn.Parameter)
    assert isinstance(p, nn.Parameter)
    assert isinstance(w * 2, torch.Tensor)


def test_changes_in_place_are_refused():
    _, _, (w,) = make(w=torch.zeros(2))

    def augmented():
        v = w
        v += 1.0

    for change in (
        augmented,
        lambda: w.add_(1.0),
        lambda: torch.relu_(w),
        lambda: torch.add(w, 1.0, out=torch.zeros(2)),
        lambda: w.__setitem__(0, 1.0),
        lambda: setattr(w, "data", torch.ones(2)),
        lambda: w.data.fill_(1.0),
        lambda: w.numpy(),
    ):
        with pytest.raises(Untraceable, match="in place|no memory"):
            change()
    assert not w.value.any()
