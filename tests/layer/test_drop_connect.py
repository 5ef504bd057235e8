"""Dropped weights: masks, their statistics, and the samples of eval."""

import pytest
import torch
from torch import nn

from spikeframe import functional, layer


def test_weights_are_kept_whole_or_dropped_per_sample():
    fc = layer.DropConnectLinear(20, 30, p=0.3, activation=None)
    x = torch.rand(50, 20)
    y = fc(x)
    expected = torch.stack(
        [w @ v + b for w, v, b in zip(fc.dropped_w, x, fc.dropped_b, strict=True)]
    )
    torch.testing.assert_close(y, expected)
    kept = fc.dropped_w != 0
    assert torch.equal(fc.dropped_w[kept], fc.weight.expand_as(kept)[kept])
    assert kept.float().mean().item() == pytest.approx(0.7, abs=0.01)
    assert not torch.equal(kept[0], kept[1])


@pytest.mark.parametrize("invariant", [False, True])
@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_masks_are_held_where_invariant(invariant, step_mode):
    fc = layer.DropConnectLinear(20, 30, invariant=invariant, step_mode=step_mode)
    x_seq = torch.rand(1, 5, 20).expand(3, 5, 20)
    y_seq = fc(x_seq) if step_mode == "m" else torch.stack([fc(x) for x in x_seq])
    assert torch.equal(y_seq[0], y_seq[2]) == invariant
    functional.reset_net(fc)
    assert fc.dropped_w is None


def test_eval_averages_activations_of_normal_sums():
    fc = layer.DropConnectLinear(6, 4, p=0.4, samples_num=200_000).double().eval()
    x = torch.rand(2, 6, dtype=torch.float64)
    mean = 0.6 * (x @ fc.weight.T + fc.bias)
    deviation = (0.24 * (x.square() @ fc.weight.square().T + fc.bias.square())).sqrt()
    normal = torch.distributions.Normal(0.0, 1.0)
    ratio = mean / deviation
    # The mean of a rectified normal variable.
    expected = mean * normal.cdf(ratio) + deviation * normal.log_prob(ratio).exp()
    torch.testing.assert_close(fc(x), expected, rtol=0, atol=5e-3)


def test_gradients_reach_weights_and_are_finite_without_input():
    fc = layer.DropConnectLinear(6, 4, bias=False)
    fc(torch.rand(3, 6)).sum().backward()
    assert fc.weight.grad.abs().sum() > 0
    x = torch.zeros(3, 6, requires_grad=True)
    fc.eval()(x).sum().backward()
    assert x.grad.isfinite().all()


def test_probabilities_at_the_ends():
    x = torch.rand(3, 6)
    whole, nothing = (layer.DropConnectLinear(6, 4, p=p, activation=None) for p in (0, 1))
    torch.testing.assert_close(whole(x), nn.functional.linear(x, whole.weight, whole.bias))
    assert not nothing(x).any()
    assert not nothing.eval()(x).any()


def test_drop_connect_refuses():
    with pytest.raises(ValueError, match=r"p must be from 0 to 1, .* got 1\.5"):
        layer.DropConnectLinear(3, 4, p=1.5)
    with pytest.raises(ValueError, match="samples_num must be at least 1, got 0"):
        layer.DropConnectLinear(3, 4, samples_num=0)
    net = nn.Sequential(layer.DropConnectLinear(3, 4, invariant=True))
    net(torch.rand(2, 3))
    with pytest.raises(ValueError, match=r"'0': the weights held are those of another batch"):
        net(torch.rand(5, 3))
    with pytest.raises(ValueError, match=r"'0' takes steps \[N, 3\], got \[2, 4\]"):
        net(torch.rand(2, 4))
