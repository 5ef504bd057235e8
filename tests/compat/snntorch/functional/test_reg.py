"""Spikes are counted in any layout, and the count is learned from."""

import pytest
import torch

from spikeframe.compat.snntorch import functional as SF


def test_the_factor_is_snntorchs_and_may_be_changed():
    penalty = SF.reg.l1_rate_sparsity()
    assert (penalty.Lambda, penalty.__name__) == (1e-5, "l1_rate_sparsity")
    penalty.Lambda = 2.0
    assert penalty(torch.ones(2, 3)) == 12.0


@pytest.mark.parametrize("shape", [(), (0,), (5, 3, 1), (2, 3, 4, 5)])
def test_it_counts_all_spikes_and_has_a_gradient(shape):
    spikes = torch.ones(shape, dtype=torch.float64, requires_grad=True)
    penalty = SF.reg.l1_rate_sparsity(0.5)(spikes)
    assert (penalty.shape, penalty.dtype) == ((), torch.float64)
    assert penalty == 0.5 * spikes.numel()
    (grad,) = torch.autograd.grad(penalty, spikes)
    assert torch.equal(grad, torch.full(shape, 0.5).double())
