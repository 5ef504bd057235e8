"""Losses of rates and counts, against their formulas step by step."""

import pytest
import torch
from torch.nn import functional as F

from spikeframe import functional

T, N, C = 5, 3, 4
TARGET = torch.tensor([2, 0, 3])
WEIGHT = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)


def outputs(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(T, N, C, dtype=torch.float64, generator=generator).requires_grad_()


def put_together(losses, reduction):
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_cross_entropies(reduction, weight):
    x_seq = outputs()
    factor = 1.0 if weight is None else weight[TARGET]
    at_each = torch.stack([F.cross_entropy(x, TARGET, reduction="none") for x in x_seq]).mean(0)
    of_counts = F.cross_entropy(x_seq.sum(0), TARGET, reduction="none")
    for loss, expected in (
        (functional.rate_cross_entropy, at_each),
        (functional.count_cross_entropy, of_counts),
    ):
        found = loss(x_seq, TARGET, weight=weight, reduction=reduction)
        torch.testing.assert_close(found, put_together(expected * factor, reduction))


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_count_mse_wants_whole_counts(weight):
    s_seq = (outputs() > 0).double()
    wanted = torch.full((N, C), 1.0, dtype=torch.float64)
    wanted[range(N), TARGET] = 3.0
    squares = (s_seq.sum(0) - wanted).square()
    squares = squares if weight is None else squares * weight[TARGET][:, None]
    found = functional.count_mse(s_seq, TARGET, 0.7, 0.3, weight=weight)
    torch.testing.assert_close(found, squares.mean() / T)


def test_count_mse_of_populations_wants_as_many_times_more():
    s_seq = (outputs() > 0).double().repeat_interleave(2, -1)
    summed = functional.population_sum(s_seq, C)
    found = functional.count_mse(summed, TARGET, 0.6, neurons=2)
    wanted = torch.zeros(N, C, dtype=torch.float64)
    wanted[range(N), TARGET] = 6.0
    torch.testing.assert_close(found, (summed.sum(0) - wanted).square().mean() / T)


def test_temporal_efficient_training_by_its_formula():
    x_seq = outputs()
    ce = sum(F.cross_entropy(x, TARGET) for x in x_seq) / T
    mse = sum(F.mse_loss(x, torch.full_like(x, 0.8)) for x in x_seq) / T
    tet = functional.temporal_efficient_training_cross_entropy
    torch.testing.assert_close(tet(x_seq, TARGET), ce)
    torch.testing.assert_close(tet(x_seq, TARGET, 0.05, 0.8), 0.95 * ce + 0.05 * mse)


@pytest.mark.parametrize(
    "loss",
    [
        functional.rate_cross_entropy,
        functional.count_cross_entropy,
        functional.temporal_efficient_training_cross_entropy,
        functional.count_mse,
    ],
)
def test_gradients(loss):
    assert torch.autograd.gradcheck(lambda x: loss(x, TARGET), outputs())


def test_errors_say_what_is_wanted():
    x = torch.ones(T, N, C)
    with pytest.raises(ValueError, match=r"\[T, N, C\], got \[3, 4\]: stack the steps"):
        functional.rate_cross_entropy(x[0], TARGET)
    with pytest.raises(ValueError, match=r"one label for each of the 3 samples, \[N\], got \[2\]"):
        functional.count_cross_entropy(x, TARGET[:2])
    with pytest.raises(TypeError, match="as tensors, got Tensor and list"):
        functional.count_cross_entropy(x, [2, 0, 3])
    with pytest.raises(ValueError, match="reduction must be 'mean', 'sum' or 'none', got 'avg'"):
        functional.rate_cross_entropy(x, TARGET, reduction="avg")
    with pytest.raises(ValueError, match="correct_rate must be from 0 to 1, got 1.5"):
        functional.count_mse(x, TARGET, 1.5)
    with pytest.raises(ValueError, match="lamb must be from 0 to 1, got -1"):
        functional.temporal_efficient_training_cross_entropy(x, TARGET, lamb=-1)
