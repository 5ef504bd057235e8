import copy
import math
import pickle

import pytest
import torch

from spikeframe import functional
from spikeframe.encoding import Direct, PoissonEncoder, rate


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def encode_poisson(x, steps, generator=None):
    return PoissonEncoder("m", generator)(Direct(steps)(x))


def encode_rate(x, steps, generator=None):
    return rate(x, steps, generator=generator)


both = pytest.mark.parametrize("encode", [encode_poisson, encode_rate], ids=["module", "function"])


@both
def test_frequencies_are_binomial(encode):
    steps, p = 20_000, torch.tensor([0.003, 0.1, 0.37, 0.5, 0.9, 0.997], dtype=torch.float64)
    counts = encode(p.float(), steps, seeded()).sum(0).double()
    # Five standard deviations: about one false alarm in 300 000 seeds.
    bound = 5 * (steps * p * (1 - p)).sqrt()
    assert ((counts - steps * p).abs() < bound).all()


@both
def test_steps_and_elements_are_independent(encode):
    spikes = encode(torch.full((50,), 0.5), 4000, seeded()).double() - 0.5
    over_time = (spikes[1:] * spikes[:-1]).mean()
    over_elements = (spikes[:, 1:] * spikes[:, :-1]).mean()
    bound = 5 * 0.25 / math.sqrt(spikes.numel())
    assert abs(over_time) < bound
    assert abs(over_elements) < bound


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_probability_0_never_fires_and_1_always(encode, dtype, monkeypatch):
    # The extreme draws: torch.rand gives 0 and the largest number below 1.
    draws = iter([0.0, math.nextafter(1.0, 0.0)])

    drawn = torch.float64 if dtype == torch.float64 else torch.float32
    largest = 1.0 - torch.finfo(drawn).eps / 2

    def extreme(shape, *, generator, dtype, device):
        assert dtype == drawn
        return torch.full(shape, min(next(draws), largest), dtype=dtype, device=device)

    monkeypatch.setattr(torch, "rand", extreme)
    for _ in range(2):
        spikes = encode(torch.tensor([0.0, 1.0], dtype=dtype), 1)
        assert spikes.tolist() == [[0.0, 1.0]]
        assert spikes.dtype == dtype


@both
def test_half_precision_does_not_bias_the_draws(encode):
    # A draw in bfloat16 itself would have 2^-8 as its step, and 0.004 would fire too often.
    p, steps = torch.tensor(0.001, dtype=torch.bfloat16), 200_000
    count = encode(p, steps, seeded()).double().sum().item()
    expected = steps * p.item()
    assert abs(count - expected) < 5 * math.sqrt(expected)


@both
def test_generator_makes_spikes_reproducible(encode):
    x = torch.rand(3, 7)
    torch.manual_seed(1)
    first = encode(x, 5, seeded(3))
    torch.manual_seed(2)
    assert torch.equal(first, encode(x, 5, seeded(3)))
    assert not torch.equal(first, encode(x, 5, seeded(4)))
    torch.manual_seed(5)
    default = encode(x, 5)
    torch.manual_seed(5)
    assert torch.equal(default, encode(x, 5))


@both
def test_generator_leaves_the_global_one_alone(encode):
    state = torch.get_rng_state()
    encode(torch.rand(3, generator=seeded()), 5, seeded())
    assert torch.equal(state, torch.get_rng_state())


@both
def test_layout_does_not_change_the_draws(encode):
    x = torch.rand(2, 3, 5, 7)
    expected = encode(x, 3, seeded())
    assert torch.equal(encode(x.to(memory_format=torch.channels_last), 3, seeded()), expected)
    strided = torch.stack([x, x], -1)[..., 0]
    assert torch.equal(encode(strided, 3, seeded()), expected)


@both
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 5), (2, 1, 3, 7)])
def test_shapes(encode, shape):
    assert encode(torch.rand(shape), 4).shape == (4, *shape)


@both
def test_no_gradient_flows(encode):
    assert not encode(torch.rand(3, requires_grad=True), 4).requires_grad


def test_poisson_steps_draw_anew():
    encoder = PoissonEncoder(generator=seeded())
    x = torch.full((64,), 0.5)
    assert not torch.equal(encoder(x), encoder(x))


def test_poisson_m_is_elementwise_on_a_sequence():
    x_seq = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert torch.equal(PoissonEncoder("m")(x_seq), x_seq)


def test_poisson_follows_set_step_mode_and_reset_net():
    net = torch.nn.Sequential(PoissonEncoder())
    functional.set_step_mode(net, "m")
    functional.reset_net(net)
    assert net[0].step_mode == "m"


def test_poisson_survives_copies():
    encoder = PoissonEncoder("m", seeded(9))
    x = torch.rand(8, 3)
    twins = copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))
    expected = encoder(x)
    assert all(torch.equal(twin(x), expected) for twin in twins)


def test_poisson_prints():
    assert repr(PoissonEncoder("m")) == "PoissonEncoder(step_mode='m')"


def test_rate_applies_gain_and_offset_and_clamps():
    x = torch.tensor([-1.0, 0.0, 2.0, math.inf, -math.inf])
    assert rate(x, 3, gain=2, offset=1).mean(0).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    frequency = rate(torch.full((20_000,), 3.0), 1, gain=0.1, offset=-0.1, generator=seeded())
    assert abs(frequency.mean().item() - 0.2) < 5 * math.sqrt(0.2 * 0.8 / 20_000)


def test_rate_computes_halves_in_float32():
    # In float16, 2049 is not a number and 2048 * gain would be rounded.
    x = torch.full((100_000,), 2048.0, dtype=torch.float16)
    frequency = rate(x, 1, gain=1, offset=-2047.5, generator=seeded()).double().mean().item()
    assert abs(frequency - 0.5) < 5 * math.sqrt(0.25 / 100_000)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-2.0, 0.5, "from -2 to 0.5: rescale"),
        (0.25, 1.5, r"within \[0, 1\].*from 0.25 to 1.5: rescale.*encoding.rate, which clamps"),
        (0.0, math.nan, "from nan to nan"),
        (0.0, math.inf, "from 0 to inf"),
    ],
)
def test_poisson_refuses_what_is_no_probability(low, high, text):
    with pytest.raises(ValueError, match=text):
        PoissonEncoder()(torch.tensor([low, high]))


@both
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_integers_are_refused(encode, dtype):
    with pytest.raises(TypeError, match=f"floating-point inputs, got {dtype}: convert and scale"):
        encode(torch.ones(3, dtype=dtype), 2)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="PoissonEncoder takes a tensor, got list"):
        PoissonEncoder()([0.5])
    with pytest.raises(TypeError, match=r"rate takes real inputs, got torch.complex64"):
        rate(torch.ones(2, dtype=torch.complex64), 2)


@pytest.mark.parametrize("steps", [0, -1, 2.0, True, "4", None])
def test_rate_refuses_bad_steps(steps):
    with pytest.raises(ValueError, match=r"T must be an int of at least 1 \(in time steps\), got"):
        rate(torch.rand(2), steps)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"gain": math.nan}, ValueError, "gain must be finite, got nan"),
        ({"offset": math.inf}, ValueError, "offset must be finite, got inf"),
        ({"gain": "2"}, TypeError, r"gain must be a number, got '2' \(str\)"),
        ({"offset": True}, TypeError, r"offset must be a number, got True \(bool\)"),
        ({"generator": 3}, TypeError, "generator must be a torch.Generator or None, got int"),
    ],
)
def test_rate_refuses_bad_arguments(arguments, error, text):
    with pytest.raises(error, match=text):
        rate(torch.rand(2), 2, **arguments)


def test_rate_refuses_nan():
    with pytest.raises(ValueError, match=r"x \* gain \+ offset is a number, got nan"):
        rate(torch.tensor([0.5, math.nan]), 2)


def test_poisson_refuses_bad_arguments():
    with pytest.raises(TypeError, match="generator must be a torch.Generator or None, got int"):
        PoissonEncoder(generator=3)
    with pytest.raises(ValueError, match="step_mode must be 's' or 'm', got 'x'"):
        PoissonEncoder("x")


def test_generator_of_another_device_is_named():
    encoder = PoissonEncoder(generator=seeded())
    # No draw happens on meta, whose values cannot be checked either: an empty input has none.
    with pytest.raises(RuntimeError, match=r"generator is on cpu but the input is on meta: make"):
        encoder(torch.empty(0, device="meta"))


def test_recomputation_with_a_generator_raises():
    encoder, weight = PoissonEncoder(generator=seeded()), torch.ones(3, requires_grad=True)

    def run(x):
        return encoder(x) * weight

    y = torch.utils.checkpoint.checkpoint(run, torch.rand(3), use_reentrant=False)
    with pytest.raises(RuntimeError, match="recompute it with other random numbers"):
        y.sum().backward()


def test_recomputation_without_a_generator_repeats_the_draws():
    encoder, weight = PoissonEncoder(), torch.ones(64, requires_grad=True)

    def run(x):
        return encoder(x) * weight

    y = torch.utils.checkpoint.checkpoint(run, torch.full((64,), 0.5), use_reentrant=False)
    y.sum().backward()
    assert torch.equal(weight.grad, y.detach())


@pytest.mark.gpu
def test_generator_on_the_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x = torch.rand(3, 7, device="cuda")
    one, two = (torch.Generator("cuda").manual_seed(3) for _ in range(2))
    spikes = rate(x, 5, generator=one)
    assert spikes.device == x.device
    assert torch.equal(spikes, rate(x, 5, generator=two))
    with pytest.raises(RuntimeError, match=r"generator is on cpu but the input is on cuda"):
        rate(x, 5, generator=seeded())
