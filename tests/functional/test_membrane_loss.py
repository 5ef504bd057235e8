"""Losses of potentials, against their formulas."""

import pytest
import torch
from torch.nn import functional as F

from spikeframe import functional

T, N, C = 5, 3, 4
TARGET = torch.tensor([2, 0, 3])


@pytest.fixture
def v_seq():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(T, N, C, dtype=torch.float64, generator=generator).requires_grad_()


def test_max_membrane_takes_the_highest_potential(v_seq):
    expected = F.cross_entropy(v_seq.max(0).values, TARGET)
    torch.testing.assert_close(functional.max_membrane_cross_entropy(v_seq, TARGET), expected)
    assert torch.autograd.gradcheck(
        lambda v: functional.max_membrane_cross_entropy(v, TARGET), v_seq
    )


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 1.0, 2.0, 4.0])])
def test_membrane_mse_at_constant_and_changing_labels(v_seq, weight):
    changing = torch.tensor([[2, 0, 3], [1, 0, 3], [2, 2, 2], [3, 1, 0], [0, 0, 0]])
    for target in (TARGET, changing):
        expected = 0.0
        for t in range(T):
            labels = target if target.dim() == 1 else target[t]
            wanted = torch.full((N, C), 0.25, dtype=torch.float64)
            wanted[range(N), labels] = 1.5
            squares = (v_seq[t] - wanted).square()
            expected += (squares if weight is None else squares * weight[labels][:, None]).mean()
        found = functional.membrane_mse(v_seq, target, 1.5, 0.25, weight=weight)
        torch.testing.assert_close(found, expected / T)


def test_labels_of_another_shape_are_refused(v_seq):
    with pytest.raises(ValueError, match=r"each of the 5 steps and 3 samples, \[T, N\], got"):
        functional.membrane_mse(v_seq, torch.zeros(4, 3, dtype=torch.long))
