"""Encoders and codes of labels equal snnTorch's, live, over random arguments."""

import pytest
import torch
from snntorch_peer import SEEDS, draw, peer

from spikeframe.compat.snntorch import spikegen

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def theirs():
    return peer("snntorch.spikegen")


def data(rng, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(rng.randrange(10**6)))


@pytest.mark.parametrize("seed", range(5))
def test_rates_have_the_same_mean_and_silence(seed, theirs):
    rng = draw(seed)
    x, options = data(rng, 6), {"gain": rng.uniform(0.5, 1.5), "offset": rng.uniform(0, 0.2)}
    options |= {"num_steps": 6000, "first_spike_time": 1000}
    own, other = spikegen.rate(x, **options), theirs.rate(x, **options)
    assert own.shape == other.shape
    assert own[:1000].sum() == other[:1000].sum() == 0
    torch.testing.assert_close(own.mean(0), other.mean(0), rtol=0, atol=0.04)
    changing = data(rng, 4000, 3)
    own = spikegen.rate(changing, time_var_input=True, first_spike_time=5)
    other = theirs.rate(changing, time_var_input=True, first_spike_time=5)
    assert own.shape == other.shape == (4005, 3)
    torch.testing.assert_close(own.mean(0), other.mean(0), rtol=0, atol=0.05)


@pytest.mark.parametrize("seed", range(60))
def test_latencies(seed, theirs):
    rng = draw(seed)
    x = data(rng, 3, 4)
    x[0, 0], x[1, 1] = 0.0, 1.0
    options = {
        "threshold": rng.choice([0.01, 0.1, 0.3]),
        "tau": rng.choice([1, 2.5, 5]),
        "linear": rng.random() < 0.5,
        "normalize": rng.random() < 0.5,
    }
    first, steps = rng.choice([0, 3]), rng.choice([10, 60, 120])
    code = options | {"num_steps": steps, "first_spike_time": first}
    for own, other in zip(
        spikegen.latency_code(x, **code), theirs.latency_code(x, **code), strict=True
    ):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)
    code |= {
        "clip": rng.random() < 0.5,
        "bypass": True,
        "on_target": rng.choice([1, 3]),
        "off_target": rng.choice([0, 0.25]),
        "interpolate": rng.random() < 0.3,
    }
    if code["interpolate"]:
        code["clip"] = False
    own, other = spikegen.latency(x, **code), theirs.latency(x, **code)
    torch.testing.assert_close(own, other)
    if not code["interpolate"] and not options["normalize"]:
        code["num_steps"] = False
        code["clip"] = False
        torch.testing.assert_close(spikegen.latency(x, **code), theirs.latency(x, **code))


@pytest.mark.parametrize("seed", SEEDS)
def test_deltas(seed, theirs):
    rng = draw(seed)
    x = (data(rng, 9, 3) * 8).round() / 8
    options = {
        "threshold": rng.choice([0.125, 0.25, 0.5]),
        "padding": rng.random() < 0.5,
        "off_spike": rng.random() < 0.5,
    }
    assert torch.equal(spikegen.delta(x, **options), theirs.delta(x, **options))


@pytest.mark.parametrize("seed", SEEDS)
def test_codes_of_one_neuron(seed, theirs):
    rng = draw(seed)
    options = {
        "num_steps": rng.randint(4, 30),
        "first_spike_time": rng.randint(0, 3),
        "rate": rng.choice([0, 0.3, 0.5, 1]),
        "firing_pattern": rng.choice(["regular", "uniform", "poisson"]),
    }
    torch.manual_seed(seed)
    own, times = spikegen.target_rate_code(**options)
    torch.manual_seed(seed)
    other, other_times = theirs.target_rate_code(**options)
    assert torch.equal(own, other)
    assert torch.equal(times, other_times.long().unique())


@pytest.mark.parametrize("seed", SEEDS)
def test_ramps(seed, theirs):
    rng = draw(seed)
    steps = rng.randint(4, 20)
    levels = {"on_target": rng.choice([1, 1.25]), "off_target": rng.choice([0, 0.25])}
    times = torch.tensor(sorted(rng.sample(range(steps), rng.randint(1, 4))))
    own = spikegen.rate_interpolate(times, steps, **levels)
    torch.testing.assert_close(own, theirs.rate_interpolate(times, steps, **levels))
    each = torch.tensor([[rng.uniform(0, steps + 3) for _ in range(3)] for _ in range(2)])
    own = spikegen.latency_interpolate(each, steps, **levels)
    torch.testing.assert_close(own, theirs.latency_interpolate(each, steps, **levels))


@pytest.mark.parametrize("seed", SEEDS)
def test_labels(seed, theirs):
    rng = draw(seed)
    classes = rng.randint(2, 5)
    labels = torch.tensor([rng.randrange(classes) for _ in range(4)])
    levels = {"on_target": rng.choice([1, 2.0]), "off_target": rng.choice([0, 0.25])}
    own = spikegen.targets_rate(labels, classes, **levels)
    assert torch.equal(own, theirs.targets_rate(labels, classes, **levels))
    late = {"num_steps": 7, "first_spike_time": 3}
    own = spikegen.targets_rate(labels, classes, **late, **levels)
    assert torch.equal(own, theirs.targets_rate(labels, classes, **late, **levels))
    code = {"num_steps": 8, "normalize": True, "interpolate": rng.random() < 0.5}
    own = spikegen.targets_latency(labels, classes, **code, **levels)
    torch.testing.assert_close(own, theirs.targets_latency(labels, classes, **code, **levels))
    one_hot = spikegen.to_one_hot(labels, classes)
    assert torch.equal(one_hot, theirs.to_one_hot(labels, classes))
    inverse = theirs.to_one_hot_inverse(one_hot)
    assert torch.equal(spikegen.to_one_hot_inverse(one_hot), inverse)
    assert torch.equal(spikegen.from_one_hot(one_hot), labels)
