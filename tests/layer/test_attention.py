"""Attention over time, channels and places, against its equations."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from spikeframe import layer


def sequence(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def mlp(module, x):
    first, second = (module.sharedMLP[i].weight.flatten(1) for i in (0, 2))
    return F.relu(x @ first.T) @ second.T


@pytest.mark.parametrize("shape", [(6,), (3, 2, 4)], ids=["vectors", "planes"])
def test_temporal_attention_weights_steps(shape):
    attention = layer.TemporalWiseAttention(5, 2, dimension=1 + len(shape)).double()
    x_seq = sequence(5, 2, *shape)
    flat = x_seq.flatten(2).transpose(0, 1)
    weights = torch.sigmoid(mlp(attention, flat.mean(2)) + mlp(attention, flat.amax(2)))
    expected = x_seq * weights.T.reshape(5, 2, *[1] * len(shape))
    torch.testing.assert_close(attention(x_seq), expected)


def test_dimensions_are_weighted_one_after_the_other():
    attention = layer.MultiDimensionalAttention(5, 4, 2, 2, kernel_size=7).double()
    x = sequence(5, 2, 4, 6, 3)
    for part, keep in ((attention.ta, 0), (attention.ca, 2)):
        flat = x.permute(1, keep, 2 - keep, 3, 4).flatten(2)
        weights = torch.sigmoid(mlp(part, flat.mean(2)) + mlp(part, flat.amax(2)))
        shape = (5, 2, 1, 1, 1) if keep == 0 else (1, 2, 4, 1, 1)
        x = x * weights.T.reshape(shape) if keep == 0 else x * weights.reshape(shape)
    flat = x.transpose(0, 1).flatten(1, 2)
    both = torch.stack((flat.mean(1), flat.amax(1)), 1)
    places = torch.sigmoid(F.conv2d(both, attention.sa.conv.weight, padding=3))
    expected = F.relu(x * places.unsqueeze(0))
    torch.testing.assert_close(attention(sequence(5, 2, 4, 6, 3)), expected)


def test_parts_can_be_left_out():
    options = {"use_temporal": False, "use_spatial": False}
    attention = layer.MultiDimensionalAttention(2, 4, 16, 2, **options)
    assert list(attention.state_dict()) == ["ca.sharedMLP.0.weight", "ca.sharedMLP.2.weight"]
    assert attention(torch.rand(2, 1, 4, 3, 3)).shape == (2, 1, 4, 3, 3)
    with pytest.raises(ValueError, match="there is nothing to weight"):
        layer.MultiDimensionalAttention(2, 4, use_channel=False, **options)


def test_of_equal_maxima_one_gets_the_gradient():
    attention = layer.TemporalWiseAttention(2, 1, dimension=2).double()
    for parameter in attention.parameters():
        nn.init.constant_(parameter, 0.5)
    x_seq = torch.ones(2, 1, 4, dtype=torch.float64, requires_grad=True)
    attention(x_seq).sum().backward()
    assert len(x_seq.grad[0, 0].unique()) == 2


def test_attention_refuses():
    with pytest.raises(ValueError, match="dimension must be 2 or 4, got 3"):
        layer.TemporalWiseAttention(4, 2, 3)
    with pytest.raises(ValueError, match="reduction must be from 1 to T=4, .* got 16"):
        layer.TemporalWiseAttention(4)
    with pytest.raises(ValueError, match="reduction_c must be from 1 to C=4, .* got 16"):
        layer.MultiDimensionalAttention(16, 4)
    with pytest.raises(ValueError, match="kernel_size must be 3 or 7, got 5"):
        layer.MultiDimensionalAttention(16, 16, kernel_size=5)
    attention = layer.MultiDimensionalAttention(4, 6, 2, 2)
    for shape, what in (((3, 1, 6, 2, 2), "T=4"), ((4, 1, 5, 2, 2), "C=6")):
        with pytest.raises(
            ValueError, match=rf"was made for {what}, got .* make it for {what[0]}="
        ):
            attention(torch.rand(shape))
    with pytest.raises(ValueError, match=r"takes a sequence \[T, N, C, H, W\], got"):
        attention(torch.rand(4, 6, 2, 2))
