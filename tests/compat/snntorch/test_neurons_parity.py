"""Neurons of the facade equal snnTorch's, live, over random arguments, outputs and gradients."""

import warnings

import pytest
import torch
from snntorch_peer import SEEDS, draw, peer

import spikeframe.compat.snntorch as snn

pytestmark = pytest.mark.parity
T, N, C = 12, 3, 4

STATES = {
    "Leaky": 1,
    "Synaptic": 2,
    "Alpha": 3,
    "Lapicque": 1,
    "RLeaky": 2,
    "RSynaptic": 3,
    "SLSTM": 2,
    "SConv2dLSTM": 2,
}
PARALLEL = ("StateLeaky", "LinearLeaky", "LeakyParallel")


def arguments(name, rng):
    """Random constructor arguments, where snnTorch computes what it says."""
    options = {"threshold": rng.choice([0.3, 0.7, 1.0])}
    if name in ("SLSTM", "SConv2dLSTM"):
        options["threshold"] = 0.1
        options["reset_mechanism"] = rng.choice(["none", "subtract", "zero"])
        sizes = {"input_size": C, "hidden_size": C}
        conv = {"in_channels": 2, "out_channels": 3, "kernel_size": 3}
        conv["max_pool"] = rng.choice([0, 2])
        return options | (sizes if name == "SLSTM" else conv)
    options["reset_mechanism"] = rng.choice(["subtract", "zero", "none"])
    options["inhibition"] = options["reset_mechanism"] == "none" and rng.random() < 0.3
    options["learn_threshold"] = rng.random() < 0.3
    beta = rng.choice([rng.uniform(0.4, 0.8), torch.linspace(0.4, 0.8, C)])
    if name == "Lapicque":
        return options | {"R": rng.uniform(1.5, 3.0), "C": rng.uniform(0.8, 2.0)}
    options |= {"beta": beta, "learn_beta": rng.random() < 0.5}
    if name in ("Synaptic", "RSynaptic", "Alpha"):
        options["alpha"] = rng.uniform(0.85, 0.95)
        options["learn_alpha"] = name != "Alpha" and rng.random() < 0.5
    if name == "Leaky":
        factor = 1.0 if options["inhibition"] else rng.choice([1.0, 0.5, 2.0])
        options["graded_spikes_factor"] = factor
    if name in ("RLeaky", "RSynaptic"):
        feedback = [{"all_to_all": False, "V": rng.uniform(-0.5, 0.5)}, {"linear_features": C}]
        options |= rng.choice(feedback)
    # A reset in the same step is what snnTorch says where it resets to zero.
    if name in ("Leaky", "Synaptic", "RLeaky") and options["reset_mechanism"] == "zero":
        options["reset_delay"] = rng.random() < 0.5
    return options


def both(name, options):
    snntorch = peer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # inhibition warns
        torch.manual_seed(0)
        theirs = getattr(snntorch, name)(**options)
        torch.manual_seed(0)
        ours = getattr(snn, name)(**options)
    return ours, theirs


def inputs(name, rng):
    generator = torch.Generator().manual_seed(rng.randrange(10**6))
    shape = (T, N, 2, 4, 4) if name == "SConv2dLSTM" else (T, N, C)
    gain = rng.choice([0.5, 1.0, 2.0])
    return (torch.randn(*shape, generator=generator) * gain + 0.3 * gain).requires_grad_()


def loop(node, x, *, explicit, states):
    """The outputs of all steps."""
    kept, rows = [None] * states, []
    for step in x:
        outputs = node(step, *(kept if explicit else ()))
        kept = list(outputs[-states:] if len(outputs) > states else outputs)
        rows.append(outputs)
    return [torch.stack(row) for row in zip(*rows, strict=True)]


def gradients(outputs, x, node):
    generator = torch.Generator().manual_seed(0)
    loss = sum((o * torch.randn(o.shape, generator=generator)).sum() for o in outputs)
    named = [p for _, p in sorted(node.named_parameters()) if p.requires_grad]
    grads = torch.autograd.grad(loss, [x, *named], allow_unused=True)
    return grads[0], sum(g.abs().sum() for g in grads[1:] if g is not None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", STATES)
def test_explicit_and_hidden_states_and_sequences(name, seed):
    rng = draw(seed)
    options, x = arguments(name, rng), inputs(name, rng)
    explicit = rng.random() < 0.5
    options |= {"init_hidden": not explicit, "output": not explicit}
    ours, theirs = both(name, options)
    states = STATES[name]
    expected = loop(theirs, x, explicit=explicit, states=states)
    found = loop(ours, x, explicit=explicit, states=states)
    assert len(found) == len(expected)
    sequence = getattr(snn, name)(**options, step_mode="m")
    sequence.load_state_dict(ours.state_dict())
    fused = sequence(x)
    for a, b, c in zip(found, expected, fused, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(c, b, rtol=1e-5, atol=1e-5)
    grad, weights = gradients(expected, x, theirs)
    for outputs, node in ((found, ours), (fused, sequence)):
        own_grad, own_weights = gradients(outputs, x, node)
        torch.testing.assert_close(own_grad, grad, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(own_weights, weights, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [n for n in STATES if "LSTM" not in n])
def test_state_dicts_go_both_ways(name, seed):
    rng = draw(seed)
    options, x = arguments(name, rng), inputs(name, rng).detach()
    ours, theirs = both(name, options)
    other = getattr(snn, name)(**options | {"threshold": 9.0})
    other.load_state_dict(theirs.state_dict())
    states = STATES[name]
    expected = loop(theirs, x, explicit=False, states=states)
    for a, b in zip(loop(other, x, explicit=False, states=states), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    missing = theirs.load_state_dict(ours.state_dict(), strict=False)
    # snnTorch keeps what it derives as well: V twice, the decay of an RC circuit.
    assert set(missing.missing_keys) <= {"recurrent.V", "beta"}
    assert not missing.unexpected_keys


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Leaky", {"reset_delay": False, "beta": 0.8}),
        ("Synaptic", {"reset_delay": False, "beta": 0.8, "alpha": 0.7}),
        ("RLeaky", {"reset_delay": False, "beta": 0.8, "all_to_all": False, "V": 0.3}),
        ("Leaky", {"inhibition": True, "beta": 0.8, "graded_spikes_factor": 2.0}),
        ("Synaptic", {"inhibition": True, "beta": 0.8, "alpha": 0.7, "reset_mechanism": "zero"}),
        ("Lapicque", {"beta": 0.8}),
        ("Lapicque", {"beta": 0.8, "R": 2.0}),
        ("Lapicque", {"beta": 0.8, "C": 2.0}),
        ("SLSTM", {"input_size": C, "hidden_size": 6, "threshold": 0.1}),
    ],
)
def test_strict_does_as_snntorch_where_that_is_wrong(name, options, seed):
    x = inputs(name, draw(seed)).detach() * 2
    _, theirs = both(name, options)
    ours = getattr(snn, name)(**options, strict=True)
    ours.load_state_dict(theirs.state_dict(), strict=False)
    states = STATES[name]
    expected = loop(theirs, x, explicit=False, states=states)
    found = loop(ours, x, explicit=False, states=states)
    fused = getattr(snn, name)(**options, strict=True, step_mode="m")
    fused.load_state_dict(ours.state_dict())
    for a, b, c in zip(found, expected, fused(x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(c, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("output", [True, False])
def test_parallel_neurons(output, seed):
    rng = draw(seed)
    beta, x = rng.uniform(0.2, 0.9), inputs("Leaky", rng).detach()
    # Of potentials alone it warns that spikes are worth nothing.
    options = {"beta": beta, "graded_spikes_factor": 2.0 if output else 1.0, "output": output}
    ours, theirs = snn.StateLeaky(channels=C, **options, strict=True), None
    theirs = peer().StateLeaky(channels=C, **options)
    for _ in range(2):  # each sequence from rest
        a, b = ours(x), theirs(x)
        for own, other in zip(a, b, strict=True) if output else [(a, b)]:
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)
    ours, theirs = snn.LinearLeaky(in_features=C, out_features=5, strict=True, **options), None
    theirs = peer().LinearLeaky(in_features=C, out_features=5, **options)
    ours.linear.load_state_dict(theirs.linear.state_dict())
    a, b = ours(x), theirs(x)
    for own, other in zip(a, b, strict=True) if output else [(a, b)]:
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_leaky_parallel_strictly_stops_at_zero(seed):
    rng = draw(seed)
    beta, x = rng.uniform(0.2, 0.9), inputs("Leaky", rng).detach()
    theirs = peer().LeakyParallel(C, 5, beta=beta, threshold=0.5)
    ours = snn.LeakyParallel(C, 5, beta=beta, threshold=0.5, strict=True)
    with torch.no_grad():
        ours.linear.weight.copy_(theirs.rnn.weight_ih_l0)
        ours.linear.bias.copy_(theirs.rnn.bias_ih_l0 + theirs.rnn.bias_hh_l0)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("seed", range(8))
def test_delta_leaky_has_the_same_spikes(seed):
    x = inputs("Leaky", draw(seed)).detach()
    theirs = peer().DeltaLeaky(0.7, beta=0.8, init_hidden=True)
    ours = snn.DeltaLeaky(0.7, beta=0.8, init_hidden=True, output=True)
    for step in x:
        (spk, (mem, _)), (own_spk, own_mem) = theirs(step), ours(step)
        assert torch.equal(spk, own_spk)
        torch.testing.assert_close(mem, own_mem)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("atan", {"alpha": (0.5, 4.0)}),
        ("fast_sigmoid", {"slope": (1.0, 30.0)}),
        ("sigmoid", {"slope": (1.0, 20.0)}),
        ("straight_through_estimator", {}),
        ("heaviside", {}),
        ("custom_surrogate", {}),
    ],
)
def test_surrogates(name, numbers, seed):
    rng = draw(seed)
    options = {key: rng.uniform(*ends) for key, ends in numbers.items()}
    if name == "custom_surrogate":
        options = {"custom_surrogate_function": lambda i, g, s: g * s / (1 + i.abs())}
    u = torch.linspace(-2, 2, 101, requires_grad=True)
    ours = getattr(snn.surrogate, name)(**options)(u)
    theirs = getattr(peer("snntorch.surrogate"), name)(**options)(u)
    assert torch.equal(ours, theirs)
    weights = torch.arange(101.0)
    (own,) = torch.autograd.grad((ours * weights).sum(), u)
    (other,) = torch.autograd.grad((theirs * weights).sum(), u)
    torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)
