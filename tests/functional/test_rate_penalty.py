"""Penalties on rates."""

import pytest
import torch

from spikeframe import functional


def test_only_rates_outside_of_what_is_wanted_cost():
    s_seq = torch.zeros(10, 2, 3)
    s_seq[:5, :, 1], s_seq[:, :, 2] = 1, 1  # rates 0, 0.5 and 1
    s_seq.requires_grad_()
    assert functional.silent_penalty(s_seq, 0.2).item() == pytest.approx(0.04 / 3)
    assert functional.busy_penalty(s_seq, 0.8).item() == pytest.approx(0.04 / 3)
    assert functional.busy_penalty(s_seq, 1.0) == functional.silent_penalty(s_seq, 0.0) == 0
    assert functional.spike_count_penalty(s_seq) == 30


def test_gradients_push_the_right_way():
    s_seq = torch.zeros(4, 1, 2)
    s_seq[:, :, 1] = 1
    s_seq.requires_grad_()
    (functional.silent_penalty(s_seq, 0.25) + functional.busy_penalty(s_seq, 0.75)).backward()
    assert (s_seq.grad[:, :, 0] < 0).all()
    assert (s_seq.grad[:, :, 1] > 0).all()


def test_errors_say_what_is_allowed():
    with pytest.raises(ValueError, match="lowest must be from 0 to 1, got 2"):
        functional.silent_penalty(torch.ones(2, 2), 2)
    with pytest.raises(ValueError, match=r"need steps and samples, \[T, N, \*\], got .* \[2\]"):
        functional.busy_penalty(torch.ones(2))
