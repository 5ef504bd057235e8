"""Symbols pass for tensors wherever a step may ask, and record precision as torch keeps it."""

import copy

import pytest
import torch
from spikeframe.kernels.cache import traced
from spikeframe.kernels.expression import leaf
from spikeframe.kernels.guards import Guards
from spikeframe.kernels.symbol import Context, Symbol
from spikeframe.kernels.uniform import Uniform
from spikeframe.kernels.untraceable import Untraceable
from torch import nn

from spikeframe import neuron


def symbol(name="x", double=False, pool=None):
    return Symbol(leaf(name, {} if pool is None else pool), Context(lambda u: None, double))


def test_a_symbol_is_a_tensor_but_no_parameter_and_no_number():
    x = symbol()
    assert isinstance(x, torch.Tensor)
    assert torch.is_tensor(x)
    assert not isinstance(x, nn.Parameter)
    assert not isinstance(x, float | int | bool)
    assert x.is_floating_point()
    assert (symbol().dtype, symbol(double=True).dtype) == (torch.float32, torch.float64)
    assert (x > 0).dtype == torch.bool


# Each reads its argument's memory, if it is let: torch asks isinstance and trusts the answer.
RAW = [
    lambda x: torch.where(x, x, 1.0),
    lambda x: torch.clamp(x, 0.0, x),
    lambda x: torch.full_like(x, x),
    lambda x: torch.sub(x, x, alpha=x),
    lambda x: torch.tensor(x),
    lambda x: torch.as_tensor(x),
    lambda x: torch.full((2,), x),
    lambda x: torch.add(torch.ones(3), 1, alpha=x),
    lambda x: torch.round(x, decimals=x),
    lambda x: torch.sum(x, x),
    lambda x: torch.zeros(x),
    lambda x: torch.dropout(x, x, True),
    lambda x: torch.stack([x, x]),
    lambda x: torch.ones(3)[x],
    lambda x: x[0],
    lambda x: list(x),
    lambda x: [1, 2][x],
    lambda x: x.shape[0],
    lambda x: x.data,
    lambda x: x.grad,
    lambda x: x.tolist(),
    lambda x: x.requires_grad,
    lambda x: x @ x,
    lambda x: x // 2,
    lambda x: x % 2,
    lambda x: x in (1, 2),
    lambda x: float(x) + int(x),
    lambda x: f"{x:.2f}",
    lambda x: repr(x),
    lambda x: copy.copy(x),
    lambda x: setattr(x, "data", torch.ones(2)),
]


@pytest.mark.parametrize("index", range(len(RAW)))
def test_what_reads_a_tensors_memory_is_refused(index):
    class Node(neuron.BaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + x
            read(x)

    read = RAW[index]
    assert "test_symbol.py:" in traced(Node()).reason


def test_a_uniform_tensor_may_be_read_by_torch():
    """torch.where tries numbers first and reads what passes for a tensor."""
    guards = Guards()
    bound = Uniform.attribute(guards, "bound", torch.tensor(0.3))
    x = Symbol(leaf("x", {}), Context(lambda uniform: leaf("p0", x.expression.pool)))
    assert repr(torch.where(x > 0, bound, 1.0).expression) == "where(gt(x, 0.0), p0, 1.0)"
    assert repr(torch.where(x > 0, 1.0, bound).expression) == "where(gt(x, 0.0), 1.0, p0)"
    with pytest.raises((Untraceable, TypeError), match="fill"):
        torch.full_like(x, bound)


def test_in_place_arithmetic_is_seen_under_every_name():
    x = symbol()
    alias = x
    copied = x.clone()
    x += 1.0
    x *= 2.0
    assert alias is x
    assert repr(alias.expression) == "mul(add(x, 1.0), 2.0)"
    assert repr(copied.expression) == "x"
    assert x.context.in_place


@pytest.mark.parametrize("double", [False, True])
def test_truth_values_become_numbers_of_torchs_dtype(double):
    """Where the state is float64, .float() and where(c, 0.1, 0.2) are still float32."""
    x = symbol(double=double)
    fired = x >= 0.0
    exact = [
        lambda: fired.to(x.dtype) * 0.1,
        lambda: fired * x,
        lambda: (1 - fired.float()) * x,
        lambda: fired * 3 * x,
        lambda: torch.where(fired, 1.0, 0.0) * x,
        lambda: ~fired & fired | fired,
    ]
    rounding = [
        lambda: fired.float() * 0.1,
        lambda: fired * 0.1,
        lambda: torch.where(fired, 0.1, 0.2),
        lambda: fired.float() / 3,
        lambda: torch.exp(fired.float()),
    ]
    for build in exact:
        assert type(build()) is Symbol
    for build in rounding:
        if double:
            with pytest.raises(Untraceable, match="float32 where the state is float64"):
                build()
        else:
            assert type(build()) is Symbol


def test_casts_keep_or_refuse():
    x, wide = symbol(), symbol(double=True)
    assert x.float() is x
    assert x.to(x.dtype) is x
    assert wide.double() is wide
    assert x.type_as(x) is x
    assert repr(x.bool().expression) == "ne(x, 0.0)"
    for build in (x.double, x.half, x.int, wide.float, (x > 0).int, lambda: x.to("cpu")):
        with pytest.raises(Untraceable, match="casts to|not known beforehand"):
            build()


def test_shapes_of_data_are_equal_and_nothing_else_is_known_of_them():
    x, y = symbol(), symbol("y")
    assert x.shape == y.shape
    assert not x.shape != (x + y).shape  # noqa: SIM202
    for ask in (
        lambda: x.shape == torch.Size([2]),
        lambda: x.shape == (2, 3),
        lambda: torch.Size([2]) != x.shape,
        lambda: x.shape[0],
        lambda: len(x.shape),
        lambda: tuple(x.shape),
        lambda: x.shape.numel(),
        lambda: f"{x.shape}",
        lambda: (*x.shape,),
    ):
        with pytest.raises(Untraceable, match="asks for the shape of the data"):
            ask()


def test_a_step_may_compare_shapes_but_make_nothing_of_one():
    class Made(neuron.IFNode):
        def neuronal_charge(self, x):
            self.v = self.v + x + torch.zeros(x.shape)

    class Checked(neuron.IFNode):
        def neuronal_charge(self, x):
            if x.shape != self.v.shape:
                raise ValueError("another shape")
            self.v = self.v + x

    assert "zeros(): argument 'size'" in traced(Made()).reason
    assert traced(Checked()).reason is None
