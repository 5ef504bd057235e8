"""Voting is the mean of groups."""

import pytest
import torch
from torch import nn

from spikeframe import layer


def test_groups_are_averaged():
    x = torch.randn(2, 3, 12)
    expected = torch.stack([x[..., i : i + 4].mean(-1) for i in (0, 4, 8)], -1)
    torch.testing.assert_close(layer.VotingLayer(4)(x), expected)
    assert layer.VotingLayer()(torch.rand(20)).shape == (2,)
    assert repr(layer.VotingLayer(4, "m")) == "VotingLayer(voting_size=4, step_mode=m)"


def test_groups_must_fit():
    net = nn.Sequential(layer.VotingLayer(4))
    text = r"VotingLayer '0' takes groups of voting_size=4, got an input of shape \[2, 10\]: make"
    with pytest.raises(ValueError, match=text):
        net(torch.rand(2, 10))
    with pytest.raises(ValueError, match="voting_size must be an int of at least 1, got 0"):
        layer.VotingLayer(0)
