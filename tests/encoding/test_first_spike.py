import math

import pytest
import torch

from spikeframe.encoding import LatencyEncoder, latency, latency_times

NEVER = -1


def steps_of(s_seq):
    """The step of each element's spike; NEVER where there is none."""
    assert ((s_seq == 0) | (s_seq == 1)).all()
    assert (s_seq.sum(0) <= 1).all()
    return torch.where(s_seq.sum(0) > 0, s_seq.argmax(0), NEVER)


def play(encoder, x, steps):
    return torch.stack([encoder(x) for _ in range(steps)])


GOLDEN = torch.tensor([0.0, 0.005, 0.0101, 0.02, 0.5, 1.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_latency_golden(dtype):
    s_seq = latency(GOLDEN.to(dtype), 100, tau=5, threshold=0.01)
    assert steps_of(s_seq).tolist() == [58, 58, 23, 3, 0, 0]
    assert s_seq.shape == (100, 6)
    assert s_seq.dtype == dtype


def test_latency_golden_with_clip():
    s_seq = latency(GOLDEN, 100, tau=5, threshold=0.01, clip=True)
    assert steps_of(s_seq).tolist() == [NEVER, NEVER, 23, 3, 0, 0]


def test_latency_clip_keeps_the_threshold_itself():
    x = torch.tensor([0.5, 0.49], dtype=torch.float64)
    assert steps_of(latency(x, 20, threshold=0.5, clip=True)).tolist() == [15, NEVER]


def test_latency_log_formula():
    x = torch.linspace(0.3, 1.0, 501, dtype=torch.float64)
    expected = [round(7.0 * math.log(v / (v - 0.25))) for v in x.tolist()]
    assert steps_of(latency(x, 15, tau=7.0, threshold=0.25)).tolist() == expected


def test_latency_linear_formula():
    x = torch.linspace(0.0, 1.0, 501, dtype=torch.float64)
    expected = [round(9.3 * (1.0 - max(v, 0.2))) for v in x.tolist()]
    assert steps_of(latency(x, 9, tau=9.3, threshold=0.2, mode="linear")).tolist() == expected


def test_latency_normalize_linear_fills_the_steps():
    x = torch.tensor([0.0, 0.005, 0.5, 1.0])
    s_seq = latency(x, 9, tau=100.0, mode="linear", normalize=True)
    assert steps_of(s_seq).tolist() == [8, 8, 4, 0]


def test_latency_normalize_log_puts_the_latest_last():
    x = torch.tensor([0.1, 0.2, 0.9], dtype=torch.float64)
    times = [math.log(v / (v - 0.01)) for v in x.tolist()]
    expected = [round(t * 10 / max(times)) for t in times]
    assert expected[0] == 10
    for tau in (1.0, 1000.0):
        assert steps_of(latency(x, 11, tau=tau, normalize=True)).tolist() == expected


def test_latency_normalize_survives_times_of_zero():
    # Rounded to float32, x / (x - threshold) is 1 here and all times are 0.
    assert steps_of(latency(torch.ones(3), 5, threshold=1e-9, normalize=True)).tolist() == [0] * 3
    assert steps_of(latency(torch.rand(3), 1, normalize=True)).tolist() == [0] * 3


def test_latency_larger_is_never_later():
    x = torch.linspace(0, 1, 1001)
    for mode in ("log", "linear"):
        steps = steps_of(latency(x, 200, tau=9.0, mode=mode))
        assert (steps.diff() <= 0).all()


def test_latency_refuses_late_spikes():
    text = (
        "latest spike is at step 58, but T=58 ends at step 57: use T=59 or more, a tau below 5, "
        "normalize=True, or clip=True"
    )
    with pytest.raises(ValueError, match=text):
        latency(GOLDEN, 58, tau=5)
    assert steps_of(latency(GOLDEN, 59, tau=5)).tolist() == [58, 58, 23, 3, 0, 0]


def test_latency_counts_only_the_spikes_that_fire():
    assert steps_of(latency(GOLDEN, 24, tau=5, clip=True)).max() == 23
    with pytest.raises(ValueError, match="latest spike is at step 23, but T=23 ends at step 22"):
        latency(GOLDEN, 23, tau=5, clip=True)


def test_latency_refuses_times_beyond_any_integer():
    with pytest.raises(ValueError, match="latest spike is at step"):
        latency(GOLDEN, 10, tau=1e30)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_latency_of_halves_is_that_of_their_values(dtype):
    x = torch.rand(200).to(dtype)
    s_seq = latency(x, 100, tau=5)
    assert s_seq.dtype == dtype
    assert torch.equal(s_seq.float(), latency(x.float(), 100, tau=5))
    encoder = LatencyEncoder(40, "log")
    s_seq = play(encoder, x, 40)
    assert s_seq.dtype == dtype
    encoder.reset()
    assert torch.equal(s_seq.float(), play(encoder, x.float(), 40))


def test_latency_of_doubles_is_not_rounded_to_floats():
    # t = 2.5 + 1e-8, which float32 rounds to the tie.
    x = torch.tensor([1.0 - 0.250000001], dtype=torch.float64)
    assert steps_of(latency(x, 11, tau=10.0, mode="linear")).tolist() == [3]
    assert steps_of(play(LatencyEncoder(11), x, 11)).tolist() == [3]


@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (2, 1, 3, 7)])
@pytest.mark.parametrize("clip", [False, True])
def test_latency_shapes(shape, clip):
    assert latency(torch.rand(shape), 70, clip=clip, normalize=True).shape == (70, *shape)
    assert LatencyEncoder(5)(torch.rand(shape)).shape == shape


def test_latency_of_a_strided_input():
    x = torch.rand(4, 6)
    assert torch.equal(latency(x.t(), 60), latency(x, 60).transpose(1, 2))


def test_latency_has_no_gradient():
    assert not latency(torch.rand(3, requires_grad=True), 60).requires_grad
    assert not LatencyEncoder(5)(torch.rand(3, requires_grad=True)).requires_grad


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"tau": 0}, ValueError, "tau must be finite and greater than 0, got 0"),
        ({"tau": math.inf}, ValueError, "tau must be finite and greater than 0, got inf"),
        ({"tau": "5"}, TypeError, "tau must be a number, got '5'"),
        (
            {"threshold": 0.0},
            ValueError,
            "threshold must be .*greater than 0 and less than 1, got",
        ),
        ({"threshold": 1.0}, ValueError, "threshold must be .*less than 1, got 1.0"),
        ({"threshold": math.nan}, ValueError, "threshold must be finite .*got nan"),
        ({"mode": "exp"}, ValueError, "mode must be 'linear' or 'log', got 'exp'"),
        ({"clip": 1}, TypeError, "clip must be True or False, got 1"),
        ({"normalize": None}, TypeError, "normalize must be True or False, got None"),
        ({"T": 0}, ValueError, "T must be an int of at least 1"),
        ({"T": True}, ValueError, "T must be an int of at least 1 .* got True"),
        ({"x": torch.tensor([0.5, 1.5])}, ValueError, r"within \[0, 1\], got values from 0.5 to"),
        ({"x": torch.tensor([-0.5, 1.0])}, ValueError, "from -0.5 to 1: rescale the input"),
        ({"x": torch.tensor([0.5, math.nan])}, ValueError, "got values from nan to nan"),
        ({"x": torch.tensor([1, 0])}, TypeError, "floating-point inputs, got torch.int64"),
        ({"x": 0.5}, TypeError, "latency takes a tensor, got float"),
    ],
)
def test_latency_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        latency(**{"x": torch.rand(3), "T": 100} | arguments)


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_encoder_linear_formula(steps):
    x = torch.linspace(0, 1, 333, dtype=torch.float64)
    expected = [round((steps - 1) * (1 - v)) for v in x.tolist()]
    assert steps_of(play(LatencyEncoder(steps), x, steps)).tolist() == expected


@pytest.mark.parametrize("steps", [1, 2, 5, 20, 37])
def test_encoder_log_formula(steps):
    x = torch.linspace(0, 1, 333, dtype=torch.float64)
    alpha = math.exp(steps - 1) - 1
    times = [steps - 1 - math.log(alpha * v + 1) for v in x.tolist()]
    assert all(abs(t % 1 - 0.5) > 1e-9 for t in times), "a tie would decide by rounding"
    expected = [round(t) for t in times]
    assert steps_of(play(LatencyEncoder(steps, "log"), x, steps)).tolist() == expected


@pytest.mark.parametrize("steps", [90, 100, 105, 800])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_encoder_log_does_not_overflow(steps, dtype):
    # e^(T-1) exceeds float32 from T=90 on and Python's float from T=711 on.
    x = torch.tensor([0.0, math.exp(-80), 0.1, 1.0], dtype=dtype)
    s_seq = LatencyEncoder(steps, "log", "m")(x.expand(steps, 4))
    assert steps_of(s_seq).tolist() == [steps - 1, 80, 2, 0]


@pytest.mark.parametrize("function", ["linear", "log"])
def test_encoder_s_is_m(function):
    x = torch.rand(3, 4)
    single, multi = LatencyEncoder(7, function), LatencyEncoder(7, function, step_mode="m")
    assert torch.equal(play(single, x, 7), multi(x.expand(7, 3, 4)))


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (torch.tensor([0.5, 1.5]), ValueError, "LatencyEncoder takes values .*from 0.5 to 1.5"),
        (torch.tensor([-1.0]), ValueError, "from -1 to -1: rescale"),
        (torch.tensor([math.nan]), ValueError, "from nan to nan"),
        (torch.tensor([1]), TypeError, "LatencyEncoder takes floating-point inputs"),
    ],
)
def test_encoder_refuses_inputs(x, error, text):
    encoder = LatencyEncoder(5)
    with pytest.raises(error, match=text):
        encoder(x)
    assert encoder.spike is None
    assert encoder(torch.ones(2)).tolist() == [1.0, 1.0]


def test_encoder_refuses_arguments():
    with pytest.raises(ValueError, match="enc_function must be 'linear' or 'log', got 'exp'"):
        LatencyEncoder(5, "exp")
    with pytest.raises(ValueError, match="T must be an int of at least 1"):
        LatencyEncoder(0)


def test_encoder_prints():
    text = "LatencyEncoder(enc_function='log', T=5, step_mode='s')"
    assert repr(LatencyEncoder(5, "log")) == text


def test_times_begin_and_end_where_they_are_told():
    x = torch.tensor([0.0, 0.3, 1.0])
    for mode in ("log", "linear"):
        times = latency_times(x, mode=mode, first=3, last=9)
        assert times[2].item() == pytest.approx(3, abs=0.1)
        assert times[0].item() == pytest.approx(9, abs=0.1)
    late = latency_times(x, tau=2.0, first=3)
    torch.testing.assert_close(late, latency_times(x, tau=2.0) + 3)
    with pytest.raises(ValueError, match="first must be"):
        latency_times(x, first=-2)
