"""Losses, metrics and quantisers equal snnTorch's, live, over random arguments."""

import pytest
import torch
from snntorch_peer import SEEDS, draw, peer, spikes
from torch import nn

import spikeframe.compat.snntorch as snn
from spikeframe.compat.snntorch import functional as SF

pytestmark = pytest.mark.parity


def outputs(rng, *, potentials=False):
    T, N, C = rng.randint(1, 9), rng.randint(1, 5), rng.choice([2, 3, 6])
    x = spikes(rng, T, N, C, rate=rng.choice([0.05, 0.3, 0.9]))
    if potentials:
        x = x * 1.7 - 0.3 + torch.arange(C) / 7
    target = torch.tensor([rng.randrange(C) for _ in range(N)])
    return x.requires_grad_(), target


def agree(ours, theirs, x, *arguments):
    """Both give the same loss and gradient."""
    found, expected = ours(x, *arguments), theirs(x, *arguments)
    torch.testing.assert_close(found.flatten(), expected.flatten())
    weights = torch.arange(1.0, found.numel() + 1)
    (own,) = torch.autograd.grad((found.flatten() * weights).sum(), x)
    (other,) = torch.autograd.grad((expected.flatten() * weights).sum(), x)
    torch.testing.assert_close(own, other)


def made(name, **options):
    return getattr(SF, name)(**options), getattr(peer("snntorch.functional"), name)(**options)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["ce_rate_loss", "ce_count_loss", "ce_max_membrane_loss"])
def test_cross_entropies(name, seed):
    rng = draw(seed)
    x, target = outputs(rng, potentials=name == "ce_max_membrane_loss")
    options = {"reduction": rng.choice(["mean", "none"])}
    if rng.random() < 0.5:
        options["weight"] = torch.rand(x.shape[-1]) + 0.5
    agree(*made(name, **options), x, target)


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_of_populations(seed):
    rng = draw(seed)
    x, _ = outputs(rng)
    classes = rng.choice([c for c in (1, 2, 3, 6) if x.shape[-1] % c == 0])
    target = torch.tensor([rng.randrange(classes) for _ in range(x.shape[1])])
    options = {"population_code": True, "num_classes": classes}
    agree(*made("ce_count_loss", **options), x, target)
    rate = rng.uniform(0.4, 1.0)
    agree(*made("mse_count_loss", correct_rate=rate, **options), x, target)
    own, other = SF.accuracy_rate, peer("snntorch.functional").accuracy_rate
    assert own(x, target, **options) == other(x, target, **options)


@pytest.mark.parametrize("seed", SEEDS)
def test_distances(seed):
    rng = draw(seed)
    x, target = outputs(rng)
    rates = sorted([rng.uniform(0, 1), rng.uniform(0, 1)])
    options = {"correct_rate": rates[1], "incorrect_rate": rates[0]}
    agree(*made("mse_count_loss", **options), x, target)
    v, target = outputs(rng, potentials=True)
    levels = {"on_target": rng.uniform(0.8, 1.5), "off_target": rng.uniform(0, 0.5)}
    agree(*made("mse_membrane_loss", **levels), v, target)


@pytest.mark.parametrize("seed", SEEDS)
def test_spike_times(seed):
    rng = draw(seed)
    x, target = outputs(rng)
    inverse = rng.choice(["negate", "reciprocal"])
    agree(*made("ce_temporal_loss", inverse=inverse), x, target)
    late = rng.randint(1, 12)
    options = {"on_target": 0, "off_target": late, "tolerance": rng.choice([0, 2])}
    if late > 0:  # their targets need on_target above off_target, or not below 0
        agree(*made("mse_temporal_loss", **options), x, target)
    times = torch.randint(0, x.shape[0], x.shape[1:]).float()
    own, other = made("mse_temporal_loss", target_is_time=True)
    torch.testing.assert_close(own(x, times), other(x, times.clone()))


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics(seed):
    rng = draw(seed)
    x, target = outputs(rng)
    theirs = peer("snntorch.functional")
    assert SF.accuracy_rate(x, target) == theirs.accuracy_rate(x, target)
    times = torch.stack([torch.randperm(9)[: x.shape[-1]] for _ in range(x.shape[1])])
    one_each = (torch.arange(9).reshape(-1, 1, 1) == times).float()  # no ties
    assert SF.accuracy_temporal(one_each, target) == theirs.accuracy_temporal(one_each, target)
    factor = rng.uniform(0, 1)
    torch.testing.assert_close(SF.l1_rate_sparsity(factor)(x), theirs.l1_rate_sparsity(factor)(x))


@pytest.mark.parametrize("seed", SEEDS)
def test_quantisers(seed):
    rng = draw(seed)
    options = {
        "num_bits": rng.randint(1, 8),
        "uniform": rng.random() < 0.4,
        "thr_centered": rng.random() < 0.5,
        "threshold": rng.choice([0.5, 1.0, 2.0]),
        "lower_limit": rng.choice([0, 0.1]),
        "upper_limit": rng.choice([0.1, 0.2]),
        "multiplier": rng.choice([None, 0.6]),
    }
    own = snn.functional.quant.state_quant(**options)
    other = peer("snntorch.functional.quant").state_quant(**options)
    x = torch.linspace(-3, 3, 997, requires_grad=True)
    torch.testing.assert_close((own(x) - x).abs(), (other(x) - x).abs(), rtol=0, atol=1e-5)
    assert own(x).unique().numel() == other(x).unique().numel()
    (grad,) = torch.autograd.grad(own(x).sum(), x)
    assert torch.equal(grad, torch.ones_like(x))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["linear", "conv1d", "conv2d"])
def test_the_stdp_learner(kind, seed):
    rng = draw(seed)
    snntorch = peer()
    theirs = peer("snntorch.functional.stdp_learner")
    make = {
        "linear": lambda: nn.Linear(5, 3),
        "conv1d": lambda: nn.Conv1d(2, 3, 3, padding=1, stride=2),
        "conv2d": lambda: nn.Conv2d(
            2, 3, 3, padding=1, padding_mode=rng.choice(["zeros", "circular"])
        ),
    }[kind]
    synapse = make()
    shape = {"linear": (5,), "conv1d": (2, 7), "conv2d": (2, 5, 6)}[kind]
    changes = []
    for package, learner in ((snn, SF.STDPLearner), (snntorch, theirs.STDPLearner)):
        lif = package.Leaky(0.8, threshold=0.2, init_hidden=True)
        watch = learner(synapse, lif, 2.5, 4.0, lambda w: w.abs(), lambda w: 1 - w)
        for step in range(4):
            lif(synapse(spikes(draw(step), 2, *shape)))
        with torch.no_grad():
            changes.append(watch.step(on_grad=False, scale=0.5))
            lif(synapse(spikes(draw(9), 2, *shape)))
            changes.append(watch.step(on_grad=False))
        synapse._forward_pre_hooks.clear()
    torch.testing.assert_close(changes[0], changes[2])
    torch.testing.assert_close(changes[1], changes[3])
