"""Surrogates as they are written for SpikingJelly, each in the style of one release."""

import copy
import pickle

import pytest
import torch

from spikeframe import surrogate
from spikeframe.surrogate import MultiArgsSurrogateFunctionBase, SurrogateFunctionBase


class gate(torch.autograd.Function):
    """Autograd function of the old kind, with forward and context in one."""

    @staticmethod
    def forward(ctx, x, alpha):
        if x.requires_grad:
            ctx.save_for_backward(x)
            ctx.alpha = alpha
        return surrogate.heaviside(x)

    @staticmethod
    def backward(ctx, grad):
        return Old.backward(grad, ctx.saved_tensors[0], ctx.alpha), None


class Old(SurrogateFunctionBase):
    """0.0.0.0.14: alpha and spiking by position; backward as a static method."""

    def __init__(self, alpha=3.0, spiking=True):
        super().__init__(alpha, spiking)

    @staticmethod
    def spiking_function(x, slope):
        return gate.apply(x, slope)

    @staticmethod
    def primitive_function(x, slope):
        return (x * slope).sigmoid()

    @staticmethod
    def backward(grad, x, alpha):
        return grad * alpha


class Bare(SurrogateFunctionBase):
    """Inherits the constructor."""

    @staticmethod
    def spiking_function(x, alpha):
        return surrogate.sigmoid.apply(x, alpha)


class New(SurrogateFunctionBase):
    """2.0.0: everything by keyword, in any order."""

    def __init__(self, leak=0.5, width=2.0, spiking=True):
        super().__init__(spiking=spiking, leak=leak, width=width)

    @staticmethod
    def spiking_function(x, width, leak):
        return surrogate.piecewise_leaky_relu(x, width, leak)

    @staticmethod
    def primitive_function(x, width, leak):
        return x * width + leak


class Several(MultiArgsSurrogateFunctionBase):
    """0.0.0.0.14 with several parameters: forward is its own."""

    def __init__(self, w=1.0, c=0.25, spiking=True):
        super().__init__(spiking, w, c=c)
        self.w = w
        self.c = c

    def forward(self, x):
        return gate.apply(x, self.w) if self.spiking else x * self.c


def gradient(spike, *points):
    u = torch.tensor(points, requires_grad=True)
    spikes = spike(u)
    assert torch.equal(spikes.detach(), (u >= 0).float())
    spikes.sum().backward()
    return u.grad.tolist()


def test_older_form():
    spike = Old()
    assert repr(spike) == "Old(alpha=3.0, spiking=True)"
    assert gradient(spike, -1.0, 0.0, 2.0) == [3.0, 3.0, 3.0]
    spike.alpha = 5.0
    assert gradient(spike, -1.0) == [5.0]
    spike.set_spiking_mode(False)
    torch.testing.assert_close(spike(torch.tensor(0.2)), torch.tensor(1.0).sigmoid())
    assert not Old(1.0, False).spiking


@pytest.mark.parametrize("make", [Bare, lambda a: Bare(alpha=a), lambda a: Bare(True, alpha=a)])
def test_inherited_constructor(make):
    assert repr(make(8.0)) == "Bare(alpha=8.0, spiking=True)"
    assert gradient(make(8.0), 0.0) == [2.0]


def test_newer_form_is_called_by_keyword():
    spike = New()
    assert repr(spike) == "New(leak=0.5, width=2.0, spiking=True)"
    assert gradient(spike, 0.0, -9.0) == [0.25, 0.5]
    assert New(spiking=False)(torch.tensor(3.0)) == 6.5
    assert not SurrogateFunctionBase(False).spiking


def test_several_parameters():
    spike = Several(w=2.0)
    assert gradient(spike, 1.0) == [2.0]
    spike.set_spiking_mode(False)
    assert spike(torch.tensor(4.0)) == 1.0


@pytest.mark.parametrize("cls", [Old, New, Several])
def test_copies_and_pickles(cls):
    for other in (copy.deepcopy(cls()), pickle.loads(pickle.dumps(cls()))):
        assert gradient(other, 0.3) == gradient(cls(), 0.3)


def test_missing_functions_are_named():
    with pytest.raises(NotImplementedError, match=r"define the static method spiking_function\("):
        SurrogateFunctionBase(2.0)(torch.ones(1))
    with pytest.raises(NotImplementedError, match=r"define the static method primitive_function"):
        Bare(2.0, spiking=False)(torch.ones(1))
