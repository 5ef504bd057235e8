import math

import pytest
import torch

from spikeframe import functional
from spikeframe.encoding import DeltaEncoder, delta

REAL = [torch.uint8, torch.int8, torch.int64, torch.float16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", REAL)
def test_delta_golden(dtype):
    s_seq = delta(torch.tensor([0, 5, 5, 9, 0], dtype=dtype), 4)
    assert s_seq.tolist() == [0, 1, 0, 1, 0]
    assert s_seq.dtype == dtype


@pytest.mark.parametrize("dtype", REAL[1:])
def test_delta_golden_with_off_spikes(dtype):
    s_seq = delta(torch.tensor([0, 5, 5, 9, 0, 4], dtype=dtype), 4, off_spike=True)
    assert s_seq.tolist() == [0, 1, 0, 1, -1, 1]
    assert s_seq.dtype == dtype


def test_delta_first_step():
    x_seq = torch.tensor([1.0, 2.0, 2.9, 3.0, 3.9])
    assert delta(x_seq, 1).tolist() == [1, 1, 0, 0, 0]
    assert delta(x_seq, 1, padding=True).tolist() == [0, 1, 0, 0, 0]
    assert delta(-x_seq, 1, off_spike=True).tolist() == [-1, -1, 0, 0, 0]
    assert delta(-x_seq, 1, off_spike=True, padding=True).tolist() == [0, -1, 0, 0, 0]


@pytest.mark.parametrize("padding", [False, True])
def test_delta_formula(padding):
    x_seq = torch.randn(9, 3, 5, dtype=torch.float64)
    before = x_seq[0] if padding else torch.zeros(3, 5, dtype=torch.float64)
    for t, spikes in enumerate(delta(x_seq, 0.4, padding=padding, off_spike=True)):
        change = x_seq[t] - before
        assert torch.equal(spikes, (change >= 0.4).double() - (change <= -0.4).double())
        before = x_seq[t]


def test_delta_of_bools_and_unsigned_falls():
    assert delta(torch.tensor([True, False, True]), 1).tolist() == [True, False, True]
    assert delta(torch.tensor([9, 0, 3], dtype=torch.uint8), 4).tolist() == [1, 0, 0]


def test_delta_of_large_integers_is_exact():
    x_seq = torch.tensor([2**30, 2**30 + 1, 2**30 + 1])
    assert delta(x_seq, 1, padding=True).tolist() == [0, 1, 0]


def test_delta_of_halves_does_not_overflow():
    x_seq = torch.tensor([-60000.0, 60000.0], dtype=torch.float16)
    assert delta(x_seq, 100_000.0, padding=True).tolist() == [0, 1]
    assert delta(x_seq, 130_000.0, padding=True).tolist() == [0, 0]


def test_delta_of_a_static_view():
    assert delta(torch.ones(3).expand(4, 3), 0.5).sum(1).tolist() == [3, 0, 0, 0]


@pytest.mark.parametrize("shape", [(1,), (4,), (4, 0), (3, 2, 5)])
def test_delta_shapes(shape):
    assert delta(torch.rand(shape)).shape == shape


def test_delta_has_no_gradient():
    assert not delta(torch.rand(3, requires_grad=True)).requires_grad


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("dtype", REAL)
def test_encoder_streams_what_delta_gives(padding, dtype):
    x_seq = (torch.rand(8, 3) * 9).to(dtype)
    expected = delta(x_seq, 2, padding=padding)
    single = DeltaEncoder(2, padding=padding)
    multi = DeltaEncoder(2, padding=padding, step_mode="m")
    for _ in range(2):
        assert torch.equal(torch.stack([single(x) for x in x_seq]), expected)
        assert torch.equal(
            torch.cat([multi(x_seq[:3]), multi(x_seq[3:4]), multi(x_seq[4:])]), expected
        )
        functional.reset_net(single)
        functional.reset_net(multi)


def test_encoder_modes_mix_at_full_precision():
    single, multi = DeltaEncoder(0.5), DeltaEncoder(0.5, step_mode="m")
    first, second = torch.tensor([0.50001]), torch.tensor([1.0], dtype=torch.float16)
    single(first), multi(first.unsqueeze(0))
    assert single(second).item() == multi(second.unsqueeze(0)).item() == 0.0


def test_encoder_remembers_a_copy():
    encoder, buffer = DeltaEncoder(1), torch.zeros(2)
    encoder(buffer)
    buffer += 1
    assert encoder(buffer).tolist() == [1, 1]


def test_encoder_in_0d():
    encoder = DeltaEncoder(1)
    assert [encoder(torch.tensor(v)).item() for v in (0.0, 1.0, 1.5)] == [0, 1, 0]


def test_encoder_refuses_another_shape():
    encoder = DeltaEncoder()
    encoder(torch.zeros(3))
    with pytest.raises(ValueError, match=r"previous has shape \[3\] .*functional.reset_net"):
        encoder(torch.zeros(4))


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_encoder_refuses_nan_and_keeps_its_state(step_mode):
    encoder = DeltaEncoder(step_mode=step_mode)
    encoder(torch.zeros(1, 1))
    before = encoder.previous
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="delta takes finite values, got nan or inf"):
            encoder(torch.full((1, 1), bad))
    assert encoder.previous is before


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool])
def test_off_spikes_need_a_sign(dtype):
    with pytest.raises(TypeError, match=f"gives -1, which {dtype} cannot hold: convert the input"):
        delta(torch.ones(3, dtype=dtype), off_spike=True)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"threshold": 0}, ValueError, "threshold must be finite and greater than 0, got 0"),
        ({"threshold": -1.0}, ValueError, "greater than 0, got -1.0"),
        ({"threshold": math.nan}, ValueError, "greater than 0, got nan"),
        ({"threshold": None}, TypeError, r"threshold must be a number, got None \(NoneType\)"),
        ({"padding": 1}, TypeError, "padding must be True or False, got 1"),
        ({"off_spike": "no"}, TypeError, "off_spike must be True or False, got 'no'"),
        ({"x_seq": [1.0]}, TypeError, "delta takes a tensor, got list"),
        ({"x_seq": torch.tensor(1.0)}, ValueError, "multi-step input is a sequence"),
        ({"x_seq": torch.empty(0, 2)}, ValueError, "at least one step, got T=0"),
        ({"x_seq": torch.ones(2, dtype=torch.complex64)}, TypeError, "delta takes real inputs"),
    ],
)
def test_delta_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        delta(**{"x_seq": torch.rand(3)} | arguments)


def test_encoder_prints():
    text = "DeltaEncoder(threshold=0.5, padding=False, off_spike=True, step_mode='s')"
    assert repr(DeltaEncoder(0.5, off_spike=True)) == text
