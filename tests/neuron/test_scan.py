"""Leaky sums in parallel over time, against the loop."""

import pytest
import torch
from cases import sequence
from reference import relative_error

from spikeframe import neuron, rnn
from spikeframe.neuron import exponential_scan


def loop(x_seq, a, v):
    out = []
    for x in x_seq:
        v = a * v + x
        out.append(v)
    return torch.stack(out)


@pytest.mark.parametrize("T", [1, 2, 31, 32, 33, 64, 1000, 1025])
@pytest.mark.parametrize("many", [False, True])
def test_a_scan_equals_the_loop_with_all_gradients(T, many):
    x_seq = sequence((2, 5), T, dtype=torch.float64).requires_grad_()
    start = sequence((2, 5), 1, seed=1, dtype=torch.float64)[0].requires_grad_()
    a = torch.tensor([0.0, 0.3, 0.9, 0.999, 1.0] if many else 0.9, dtype=torch.float64)
    a.requires_grad_()
    weights = sequence((2, 5), T, seed=2, dtype=torch.float64)
    results = []
    for run in (exponential_scan, loop):
        out = run(x_seq, a, start)
        results.append((out, *torch.autograd.grad((out * weights).sum(), (x_seq, a, start))))
    for value, expected in zip(*results, strict=True):
        assert value.shape == expected.shape
        assert relative_error(value.detach(), expected.detach()) < 1e-12


def test_a_scan_is_twice_differentiable():
    x_seq = sequence((2,), 5, dtype=torch.float64).requires_grad_()
    a, start = (torch.tensor([0.5, 0.8]).double().requires_grad_() for _ in range(2))
    assert torch.autograd.gradgradcheck(exponential_scan, (x_seq, a, start))


@pytest.mark.parametrize("beta", [0.5, 0.99, 0.9999, 1.0])
def test_a_long_scan_is_as_exact_as_the_loop(beta):
    x_seq = sequence((8,), 4096)
    scanned, looped = exponential_scan(x_seq, beta), loop(x_seq, beta, torch.zeros(8))
    exact = loop(x_seq.double(), torch.tensor(beta).double(), torch.zeros(8).double())
    assert relative_error(scanned, looped) < 1e-5
    assert relative_error(scanned, exact) < 1e-6


NEURONS = {
    "Leaky": lambda **k: neuron.Leaky(0.9, reset_mechanism="none", threshold=9.0, **k),
    "StateLeaky": lambda **k: neuron.StateLeaky(0.9, learn_beta=True, threshold=9.0, **k),
    "Synaptic": lambda **k: neuron.Synaptic(
        *(0.5, 0.9), reset_mechanism="none", threshold=18.0, learn_alpha="exp", **k
    ),
    "Lapicque": lambda **k: neuron.Lapicque(
        **{"R": 3.0, "C": 2.0}, reset_mechanism="none", threshold=2.7, **k
    ),
    "Lapicque-beta": lambda **k: neuron.Lapicque(
        0.9, reset_mechanism="none", threshold=0.9, learn_beta="sigmoid", **k
    ),
    "DeltaLeaky": lambda **k: neuron.DeltaLeaky(0.9, 0.4, **k),
    "LinearLeaky": lambda **k: neuron.LinearLeaky(0.9, 7, 7, **k),
}


class Uncompiled(torch.nn.Module):
    """A surrogate that no kernel takes."""

    def forward(self, u):
        return torch.sigmoid(u) + ((u > 0).to(u) - torch.sigmoid(u)).detach()


def counting(check, calls):
    """A check that every step of a loop makes, counted."""

    def counted(*inputs):
        calls.append(1)
        return check(*inputs)

    return counted


@pytest.mark.parametrize("name", NEURONS)
def test_neurons_without_reset_run_as_a_scan(name, monkeypatch):
    """Where no compiled kernel serves; the loop would run the step once a step."""
    torch.manual_seed(0)
    nodes = [
        NEURONS[name](
            surrogate_function=Uncompiled(), step_mode="m", store_state_seqs=True, backend=backend
        )
        for backend in ("auto", "eager")
    ]
    nodes[1].load_state_dict(nodes[0].state_dict())
    results, steps = [], []
    for node in nodes:
        counted = []
        monkeypatch.setattr(node, "check_output", counting(node.check_output, counted))
        grads, outputs = [], []
        for x_seq in (sequence((3, 7), 100), sequence((3, 7), 70, seed=1)):
            x = x_seq.requires_grad_()
            spikes = node(x)
            (spikes.sum() + node.mem.sum()).backward()
            node.detach()
            grads.append(x.grad)
            outputs.append((spikes.detach(), node.state_seqs["mem"].detach()))
        grads += [p.grad for p in node.parameters()]
        results.append((outputs, grads, dict(node.named_memories())))
        steps.append(len(counted))
    assert steps == [0, 170]
    (outputs, grads, states), (their_outputs, their_grads, their_states) = results
    for (spikes, mem), (their_spikes, their_mem) in zip(outputs, their_outputs, strict=True):
        assert relative_error(mem, their_mem) < 1e-5
        assert 0.02 < their_spikes.mean() < 0.98
        assert (spikes != their_spikes).float().mean() < 1e-3
    for grad, wanted in zip(grads, their_grads, strict=True):
        assert relative_error(grad, wanted) < 1e-4
    for key, state in states.items():
        assert relative_error(state, their_states[key]) < 1e-5


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"reset_mechanism": "none"}, (63, 4)),
        ({"reset_mechanism": "none"}, (64, 257)),
        ({}, (64, 4)),
        ({"reset_mechanism": "none", "state_quant": torch.round}, (64, 4)),
        ({"reset_mechanism": "none", "inhibition": True}, (64, 4)),
    ],
    ids=["short", "wide", "reset", "quantised", "inhibited"],
)
def test_short_wide_or_reset_sequences_stay_a_loop(options, shape, monkeypatch):
    node = neuron.Leaky(0.9, surrogate_function=Uncompiled(), step_mode="m", **options)
    calls = []
    monkeypatch.setattr(node, "check_output", counting(node.check_output, calls))
    node(torch.rand(shape))
    assert len(calls) == shape[0]


class Doubling(neuron.Leaky):
    """Changes a step below the scan of its base."""

    def neuronal_charge(self, x):
        super().neuronal_charge(2.0 * x)


class Restless(neuron.Leaky):
    """Has a reset of its own, whatever it is called."""

    def neuronal_reset(self, spike):
        self.mem = self.mem - 0.5 * spike


class RecurrentLeaky(rnn.Recurrent, neuron.Leaky):
    """Mixes in another step."""


@pytest.mark.parametrize(
    "make",
    [
        lambda **k: Doubling(0.9, **k),
        lambda **k: Restless(0.9, reset_delay=False, **k),
        lambda **k: RecurrentLeaky(-0.5, 0.9, **k),
    ],
)
def test_a_changed_step_is_not_scanned(make, uncompiled):
    x_seq = sequence((4,), 100)
    options = {"reset_mechanism": "none", "step_mode": "m"}
    assert torch.equal(make(**options)(x_seq), make(**options, backend="eager")(x_seq))


def test_a_step_changed_on_the_node_is_not_scanned(uncompiled, monkeypatch):
    options = {"reset_mechanism": "none", "step_mode": "m"}
    node, twin = (neuron.Leaky(0.9, **options, backend=b) for b in ("auto", "eager"))
    for one in (node, twin):
        monkeypatch.setattr(one, "neuronal_fire", lambda one=one: one.surrogate_function(-one.mem))
    x_seq = sequence((4,), 100)
    assert torch.equal(node(x_seq), twin(x_seq))


@pytest.mark.parametrize("x_seq", [torch.ones(3, 2, dtype=torch.int64), torch.tensor(1.0), [1.0]])
def test_what_is_no_sequence_of_floats_is_refused(x_seq):
    with pytest.raises(TypeError, match="x_seq must be a sequence .* of floating-point values, g"):
        exponential_scan(x_seq, 0.5)
