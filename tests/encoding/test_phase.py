import math
import re

import pytest
import torch

from spikeframe.encoding import WeightedPhaseEncoder, weighted_phase

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def decode(s_seq):
    weights = 2.0 ** -torch.arange(1, len(s_seq) + 1, dtype=torch.float64)
    return torch.tensordot(weights, s_seq.double(), 1)


def test_phase_of_the_paper():
    # Kim et al., 2018: K=8, the digits of 192, 1, 128 and 255 out of 256.
    x = torch.tensor([192, 1, 128, 255]) / 256
    expected = [[1, 1, 0, 0, 0, 0, 0, 0], [0] * 7 + [1], [1] + [0] * 7, [1] * 8]
    assert weighted_phase(x, 8).t().tolist() == expected


@pytest.mark.parametrize("K", [1, 2, 5, 8])
@pytest.mark.parametrize("dtype", FLOATS)
def test_phase_is_exact_for_binary_fractions(K, dtype):
    x = torch.arange(2**K, dtype=torch.float64) / 2**K
    s_seq = weighted_phase(x.to(dtype), K)
    assert s_seq.shape == (K, 2**K)
    assert s_seq.dtype == dtype
    assert torch.equal(decode(s_seq), x)


@pytest.mark.parametrize("K", [24, 30, 60, 200])
def test_phase_is_exact_with_many_digits(K):
    x = torch.randint(2**24, (200,), dtype=torch.float64) / 2**24
    assert torch.equal(decode(weighted_phase(x.float(), K)), x)
    tiny = torch.tensor([2.0**-K], dtype=torch.float64)
    assert weighted_phase(tiny, K).flatten().tolist() == [0.0] * (K - 1) + [1.0]


def test_phase_rounds_down():
    x = torch.rand(500, dtype=torch.float64) * 0.9
    assert torch.equal(decode(weighted_phase(x, 4)), (x * 16).floor() / 16)


@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (2, 1, 3, 7)])
def test_phase_shapes(shape):
    assert weighted_phase(torch.rand(shape) / 2, 3).shape == (3, *shape)
    assert WeightedPhaseEncoder(3)(torch.rand(shape) / 2).shape == shape


def test_encoder_plays_the_digits():
    x, encoder = torch.rand(3, 4) * 0.9, WeightedPhaseEncoder(6)
    s_seq = torch.stack([encoder(x) for _ in range(12)])
    assert torch.equal(s_seq, weighted_phase(x, 6).repeat(2, 1, 1))


def test_phase_has_no_gradient():
    assert not weighted_phase(torch.rand(3).mul(0.5).requires_grad_(), 4).requires_grad


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        ([0.0, 1.0], ValueError, r"within [0, 1 - 2**-4] = [0, 0.9375], got values from 0 to 1:"),
        ([0.94], ValueError, "got values from 0.94 to 0.94: rescale"),
        ([-0.5, 0.5], ValueError, "got values from -0.5 to 0.5"),
        ([math.nan], ValueError, "got values from nan to nan"),
        ([1], TypeError, "weighted_phase takes floating-point inputs, got torch.int64"),
    ],
)
def test_phase_refuses_inputs(x, error, text):
    for encode in (lambda x: weighted_phase(x, 4), WeightedPhaseEncoder(4)):
        with pytest.raises(error, match=re.escape(text)):
            encode(torch.tensor(x))


@pytest.mark.parametrize("K", [10, 25, 60])
@pytest.mark.parametrize("dtype", FLOATS)
def test_phase_never_takes_one_for_a_fraction(K, dtype):
    with pytest.raises(ValueError, match="got values from 1 to 1"):
        weighted_phase(torch.ones(1, dtype=dtype), K)


@pytest.mark.parametrize("K", [0, -1, 2.0, True])
def test_phase_refuses_bad_K(K):
    for encode in (lambda K: weighted_phase(torch.zeros(1), K), WeightedPhaseEncoder):
        with pytest.raises(ValueError, match=r"K must be an int of at least 1 .*got"):
            encode(K)


def test_encoder_prints():
    assert repr(WeightedPhaseEncoder(4)) == "WeightedPhaseEncoder(K=4, step_mode='s')"
