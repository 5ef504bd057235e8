"""A function of snnTorch's kind as a surrogate."""

import pickle

import pytest
import torch

from spikeframe.surrogate import CustomSurrogate


def clipped(input_, grad_input, spikes):
    """Not linear in the gradient, and different with a spike: needs all three arguments."""
    return grad_input.clamp(-1, 1) * (1 + spikes) / (1 + input_.abs())


def overwriting(input_, grad_input, spikes):
    grad_input[input_ < 0] = 7.0
    return grad_input


@pytest.mark.parametrize(("strict", "at_zero"), [(False, 2.0), (True, 1.0)])
def test_function_gets_input_gradient_and_spikes(strict, at_zero):
    u = torch.tensor([-1.0, 0.0, 3.0], requires_grad=True)
    CustomSurrogate(clipped, strict=strict)(u).backward(torch.tensor([-0.5, 1.0, 9.0]))
    torch.testing.assert_close(u.grad, torch.tensor([-0.25, at_zero, 0.5]))


def test_function_may_overwrite_its_gradient():
    u = torch.tensor([-1.0, 2.0], requires_grad=True)
    grad = torch.tensor([1.0, 2.0])
    CustomSurrogate(overwriting)(u).backward(grad)
    assert torch.equal(u.grad, torch.tensor([7.0, 2.0]))
    assert torch.equal(grad, torch.tensor([1.0, 2.0]))


def test_function_is_printed_and_pickled():
    spike = pickle.loads(pickle.dumps(CustomSurrogate(clipped)))
    assert spike.fn is clipped
    assert repr(spike) == "CustomSurrogate(clipped, spiking=True)"


def test_no_function_is_refused():
    with pytest.raises(
        TypeError, match=r"fn must be callable as fn\(input_, grad_input, spikes\)"
    ):
        CustomSurrogate(2.0)
