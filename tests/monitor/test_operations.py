"""Operations are counted by the formulas of each product."""

import pytest
import torch
from torch import nn

from spikeframe.monitor.operations import ProductCounter

# A module, its input, and the multiplications of its forward.
CASES = [
    (nn.Linear(5, 7), (3, 2, 5), 3 * 2 * 5 * 7),
    (nn.Linear(5, 7, bias=False), (2, 5), 2 * 5 * 7),
    (nn.Conv1d(4, 8, 3), (2, 4, 9), 2 * 8 * 7 * 4 * 3),
    (nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2), (2, 4, 9, 9), 2 * 8 * 25 * 2 * 9),
    (nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 9, 9), 2 * 4 * 81 * 6 * 9),
    (nn.Conv3d(4, 8, 3), (2, 4, 5, 5, 5), 2 * 8 * 27 * 4 * 27),
    (nn.BatchNorm1d(4), (2, 4), 0),
]


@pytest.mark.parametrize(("module", "shape", "products"), CASES)
def test_forward_and_backward_are_counted(module, shape, products):
    x = torch.rand(shape, requires_grad=True)
    with ProductCounter() as counter:
        output = module(x)
        assert counter.total() == 2 * products
        output.sum().backward()
        assert counter.total() == 3 * 2 * products
    module(x)
    assert counter.total() == 3 * 2 * products


def test_what_wants_no_gradient_costs_none():
    conv = nn.Conv2d(2, 3, 3)
    with ProductCounter() as counter:
        conv(torch.rand(1, 2, 5, 5)).sum().backward()
    assert counter.total() == 2 * 2 * (3 * 9 * 2 * 9)


def test_batches_of_matrices_and_vectors_are_counted():
    a, b = torch.rand(3, 4, 5), torch.rand(3, 5, 6)
    with ProductCounter() as counter:
        a @ b
        assert counter.total() == 2 * 3 * 4 * 5 * 6
        torch.baddbmm(torch.rand(3, 4, 6), a, b)
        assert counter.total() == 2 * 2 * 3 * 4 * 5 * 6
        a[0] @ torch.rand(5)
    assert counter.total() == 2 * 2 * 3 * 4 * 5 * 6 + 2 * 4 * 5
