"""Batch norms of thresholds and steps, against their equations."""

import pytest
import torch
from torch import nn

from spikeframe import functional, layer

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def sequence(T=4, N=3, shape=(5, 2, 3)):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(T, N, *shape, generator=generator, dtype=torch.float64) * 2 + 1


def normalised(x, dims, eps=1e-5):
    mean = x.mean(dims, keepdim=True)
    var = x.var(dims, unbiased=False, keepdim=True)
    return (x - mean) / (var + eps).sqrt()


def test_threshold_dependent_norm_scales_by_the_threshold():
    norm, x_seq = layer.ThresholdDependentBatchNorm2d(0.7, 1.5, 5), sequence()
    assert norm.weight.tolist() == pytest.approx([1.05] * 5)
    norm.double().reset_parameters()
    expected = 0.7 * 1.5 * normalised(x_seq, (0, 1, 3, 4))
    torch.testing.assert_close(norm(x_seq), expected, **EXACT)
    assert repr(norm).startswith("ThresholdDependentBatchNorm2d(alpha=0.7, v_th=1.5, 5, eps=")


def test_threshold_dependent_norm_learns_a_scale():
    text = r"affine must be True; without one use BatchNorm1d"
    with pytest.raises(ValueError, match=text):
        layer.ThresholdDependentBatchNorm1d(1.0, 1.0, 5, affine=False)


def test_temporal_effective_norm_scales_each_step():
    norm, x_seq = layer.TemporalEffectiveBatchNorm2d(4, 5).double(), sequence()
    scale = torch.tensor([0.5, -1.0, 2.0, 0.0], dtype=torch.float64)
    norm.scale.data.copy_(scale)
    norm.weight.data.fill_(3.0)
    norm.bias.data.fill_(0.25)
    expected = (3 * normalised(x_seq, (0, 1, 3, 4)) + 0.25) * scale.view(4, 1, 1, 1, 1)
    torch.testing.assert_close(norm(x_seq), expected, **EXACT)
    assert list(norm.state_dict())[-1] == "num_batches_tracked"
    assert set(norm.state_dict()) == {*nn.BatchNorm2d(5).state_dict(), "scale"}


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_norm_through_time_has_statistics_for_each_step(step_mode):
    norm = layer.BatchNormThroughTime2d(4, 5, step_mode=step_mode).double()
    x_seq = sequence()
    for t, bn in enumerate(norm.bn_list):
        bn.weight.data.fill_(t + 1.0)
    y_seq = norm(x_seq) if step_mode == "m" else torch.stack([norm(x) for x in x_seq])
    gains = torch.arange(1.0, 5.0).double().view(4, 1, 1, 1, 1)
    torch.testing.assert_close(y_seq, gains * normalised(x_seq, (1, 3, 4)), **EXACT)
    for bn, x in zip(norm.bn_list, x_seq, strict=True):
        torch.testing.assert_close(bn.running_mean, 0.1 * x.mean((0, 2, 3)), **EXACT)
        assert bn.bias is None


@pytest.mark.parametrize(
    "norm",
    [layer.TemporalEffectiveBatchNorm1d(3, 5), layer.BatchNormThroughTime1d(3, 5, step_mode="m")],
    ids=lambda norm: type(norm).__name__,
)
def test_steps_end_at_T(norm):
    net, x_seq = nn.Sequential(norm).double(), sequence(4, shape=(5,))
    net(x_seq[:2])
    text = (
        r"BatchNorm\w+ '0' has parameters for T=3 steps and is at step 2, got 2 more: call "
        r"functional\.reset_net\(net\).* or make it with the T"
    )
    with pytest.raises(ValueError, match=text):
        net(x_seq[2:])
    functional.reset_net(net)
    net(x_seq[:3])
    functional.set_step_mode(net, "s")
    with pytest.raises(ValueError, match="is at step 3, got 1 more"):
        net(x_seq[3])


@pytest.mark.parametrize("T", [0, True, 2.0])
def test_steps_are_counted_in_whole_numbers(T):
    with pytest.raises(ValueError, match=rf"T must be an int of at least 1, .* got {T!r}"):
        layer.TemporalEffectiveBatchNorm1d(T, 5)
