"""A given sequence is played over and over, and kept apart from the user's tensor."""

import re

import pytest
import torch

from spikeframe import encoding, functional
from spikeframe.encoding import PeriodicEncoder

PERIOD = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])


def test_plays_its_sequence():
    encoder = PeriodicEncoder(PERIOD)
    assert encoder.T == 3
    assert torch.equal(torch.stack([encoder() for _ in range(7)]), PERIOD.repeat(3, 1)[:7])
    encoder.reset()
    assert torch.equal(encoder(), PERIOD[0])


def test_in_m_plays_one_period():
    encoder = PeriodicEncoder(PERIOD, step_mode="m")
    assert torch.equal(encoder(), PERIOD)
    assert torch.equal(encoder(), PERIOD)


def test_plays_another_sequence_until_reset():
    encoder, other = PeriodicEncoder(PERIOD), torch.tensor([1.0, 0.0])
    assert [encoder(other).item() for _ in range(5)] == [1.0, 0.0, 1.0, 0.0, 1.0]
    with pytest.raises(
        ValueError, match="PeriodicEncoder is at step 1 of the encoding of another"
    ):
        encoder(PERIOD)
    encoder.reset()
    assert torch.equal(torch.stack([encoder() for _ in range(4)]), PERIOD.repeat(2, 1)[:4])
    assert encoder.T == 3


def test_accepts_its_own_sequence():
    encoder = PeriodicEncoder(PERIOD)
    assert torch.equal(torch.stack([encoder(PERIOD) for _ in range(3)]), PERIOD)


def test_keeps_a_copy():
    spike_seq = PERIOD.clone()
    encoder = PeriodicEncoder(spike_seq)
    spike_seq.zero_()
    encoder().zero_()
    encoder.reset()
    assert torch.equal(encoder(), PERIOD[0])


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float16, torch.float64])
def test_keeps_the_dtype(dtype):
    assert PeriodicEncoder(PERIOD.to(dtype))().dtype == dtype


def test_moves_and_is_not_saved():
    encoder = PeriodicEncoder(PERIOD).to("meta")
    assert encoder().device.type == "meta"
    assert not encoder.state_dict()


@pytest.mark.parametrize("wrong", [torch.tensor(1.0), torch.empty(0, 3)])
def test_no_sequence_is_refused(wrong):
    text = rf"at least one step, got shape {re.escape(str(list(wrong.shape)))}"
    with pytest.raises(ValueError, match=text):
        PeriodicEncoder(wrong)
    with pytest.raises(ValueError, match=text):
        PeriodicEncoder(PERIOD)(wrong)
    with pytest.raises(TypeError, match="PeriodicEncoder takes a tensor, got list"):
        PeriodicEncoder([1.0, 0.0])


def test_it_plays_one_sequence_for_all_samples_of_any_layout():
    spike_seq = torch.arange(12.0).view(2, 3, 2).transpose(0, 1)
    encoder = PeriodicEncoder(spike_seq)
    assert torch.equal(encoder(), spike_seq[0])
    functional.reset_net(encoder)
    encoder.step_mode = "m"
    assert torch.equal(encoder(), spike_seq)
    assert repr(encoder) == "PeriodicEncoder(T=3, step_mode='m')"


def test_it_keeps_no_graph():
    spike_seq = 2 * PERIOD.clone().requires_grad_()
    encoder = PeriodicEncoder(spike_seq)
    assert not encoder().requires_grad
    encoder.reset()
    assert not encoder(spike_seq).requires_grad


def test_as_many_steps_as_the_input_has():
    encoder = PeriodicEncoder(PERIOD, step_mode="m")
    x_seq = encoding.direct(PERIOD, 5)
    assert torch.equal(encoder(x_seq), PERIOD.repeat(2, 1)[:5])


def test_one_step_is_a_sequence():
    encoder = PeriodicEncoder(PERIOD[:1])
    assert torch.equal(torch.stack([encoder(), encoder()]), PERIOD[:1].repeat(2, 1))
