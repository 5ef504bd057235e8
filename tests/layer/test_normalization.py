"""Batch statistics count T N samples, however the sequence is stored."""

import pytest
import torch
from layers import NORMS
from torch import nn

from spikeframe import layer


@pytest.mark.parametrize("momentum", [0.1, 1.0, 1, None])
@pytest.mark.parametrize("training", [True, False])
def test_running_statistics_of_a_static_sequence(momentum, training):
    torch.manual_seed(0)
    norm = layer.BatchNorm2d(3, momentum=momentum, step_mode="m").double().train(training)
    mean, var = torch.zeros(3).double(), torch.ones(3).double()
    for batch in range(1, 4):
        x = torch.randn(2, 3, 5, 1, dtype=torch.float64) * batch + 1
        norm(x.expand(7, *x.shape))
        if training:
            values = x.repeat(7, 1, 1, 1, 1).movedim(2, 0).flatten(1)
            share = 1 / batch if momentum is None else momentum
            mean = (1 - share) * mean + share * values.mean(1)
            var = (1 - share) * var + share * values.var(1)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, var)
    assert norm.num_batches_tracked == (3 if training else 0)


@pytest.mark.parametrize("track", [True, False])
def test_one_value_per_channel_and_step_has_statistics_over_time(track):
    norm = layer.BatchNorm1d(3, track_running_stats=track, step_mode="m")
    x = torch.rand(1, 3)
    assert torch.equal(norm(x.expand(4, 1, 3)), torch.zeros(4, 1, 3))
    if track:
        torch.testing.assert_close(norm.running_mean, 0.1 * x[0])
        torch.testing.assert_close(norm.running_var, torch.full((3,), 0.9))
    norm.eval()
    assert norm(x.expand(4, 1, 3)).stride(0) == (0 if track else 3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer.BatchNorm1d(3)(x)


@pytest.mark.parametrize("case", NORMS, ids=str)
def test_static_gradients_twice_before_the_backward(case):
    """A second pass changes the running statistics that the first one's graph was made with."""
    norm = case.build("m")
    x = case.inputs(5)[0].requires_grad_()
    results = [norm(x.expand(4, *x.shape)) for _ in range(2)]
    (results[0] * torch.arange(4.0).view(-1, *[1] * x.dim())).sum().backward()
    assert x.grad is not None


def test_static_sequence_in_half_precision():
    full, mixed = layer.BatchNorm1d(3, step_mode="m"), layer.BatchNorm1d(3, step_mode="m")
    x = torch.rand(6, 3, dtype=torch.bfloat16)
    full(x.float().expand(4, 6, 3))
    assert mixed(x.expand(4, 6, 3)).dtype == torch.bfloat16
    assert mixed.running_var.dtype == torch.float32
    torch.testing.assert_close(mixed.state_dict(), full.state_dict(), rtol=1e-5, atol=1e-6)


def test_batch_norm_1d_takes_both_ranks():
    norm = layer.BatchNorm1d(3, step_mode="m")
    assert norm(torch.rand(4, 2, 3)).shape == (4, 2, 3)
    assert norm(torch.rand(4, 2, 3, 5)).shape == (4, 2, 3, 5)
    with pytest.raises(ValueError, match=r"\[T, N, C\] or \[T, N, C, L\], got an input of shape"):
        norm(torch.rand(4, 3))


def test_group_norm_refuses_too_few_dimensions():
    norm = layer.GroupNorm(1, 3, step_mode="m")
    with pytest.raises(
        ValueError, match=r"sequence \[T, N, C, \*\], got an input of shape \[2, 3\]"
    ):
        norm(torch.rand(2, 3))
    with pytest.raises(ValueError, match=r"one step \[N, C, \*\], got an input of shape \[3\]"):
        layer.GroupNorm(1, 3)(torch.rand(3))


@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"])
def test_bias_can_be_left_out(name):
    norm = getattr(layer, name)(3, bias=False)
    assert norm.bias is None
    assert list(norm.state_dict()) == list(getattr(nn, name)(3, bias=False).state_dict())
    assert layer.GroupNorm(1, 3, bias=False).bias is None
