"""Steps over a mask: the states of samples that pause are held, and nothing is run for them."""

import pytest
import torch
from torch import nn

from spikeframe import base, neuron
from spikeframe.base.ragged import loop_over_mask, run_over_mask, runs_samples_apart

MASK = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1]]).bool()
X_SEQ = torch.arange(1.0, 16.0).view(5, 3, 1).double()


class Sum(base.MemoryModule):
    """Sums up; keeps the number of its calls, its first input and a state of two places."""

    def __init__(self, replayable=False):
        super().__init__()
        self.replayable = replayable
        self.register_memory("v", 0.0)
        self.register_memory("calls", torch.tensor(0))
        self.register_memory("first", None)
        self.register_memory("places", torch.zeros(2))

    def single_step_forward(self, x):
        self.v = self.v + x
        self.calls = self.calls + 1
        self.first = x[:, 0] if self.first is None else self.first
        self.places = self.places + 1
        return self.v, self.v.half()


def sums(mask=MASK):
    """The sum of the steps at which a sample goes on, and what is left of it."""
    x_seq = X_SEQ * mask.unsqueeze(-1)
    return x_seq.cumsum(0) * mask.unsqueeze(-1), x_seq.sum(0)


def later(mask):
    """At how many steps a sample has each input in its sum."""
    return (mask.flip(0).cumsum(0).flip(0) * mask).unsqueeze(-1).double()


@pytest.mark.parametrize("start", [None, 2.0, torch.full((3, 1), 2.0)])
def test_a_loop_holds_states_and_gives_zeros(start):
    net = nn.Sequential(Sum(), nn.Identity())
    if start is not None:
        net[0].v = start
    outputs, halves = loop_over_mask(net, net, [X_SEQ], MASK)
    expected, last = sums()
    shift = 0.0 if start is None else 2.0
    assert torch.equal(outputs, expected + shift * MASK.unsqueeze(-1))
    assert torch.equal(net[0].v, last + shift)
    assert halves.dtype == torch.half
    assert torch.equal(halves, outputs.half())


def test_a_loop_over_whole_batches_is_a_plain_one():
    module, twin = Sum(), Sum()
    found = loop_over_mask(module, module, [X_SEQ], torch.ones(5, 3, dtype=torch.bool))
    twin.step_mode = "m"
    assert all(map(torch.equal, found, twin(X_SEQ)))


def test_states_that_are_not_of_samples_go_on():
    module = Sum()
    loop_over_mask(module, module, [X_SEQ], MASK)
    assert module.calls == 5
    assert module.places.tolist() == [5.0, 5.0]


@pytest.mark.parametrize(("replayable", "held"), [(False, 0.0), (True, 3.0)])
def test_what_a_sample_had_not_yet_is_zero_but_for_masks(replayable, held):
    module = Sum(replayable)
    loop_over_mask(module, module, [X_SEQ], MASK)
    assert module.first.tolist() == [1.0, 2.0, held]


def test_a_loop_takes_several_sequences_and_lets_no_gradient_through_a_pause():
    class Products(base.MemoryModule):
        def __init__(self):
            super().__init__()
            self.register_memory("v", 0.0)

        def single_step_forward(self, x, y):
            self.v = self.v + x * y
            return self.v

    module, x_seq = Products(), X_SEQ.clone().requires_grad_()
    loop_over_mask(module, module, [x_seq, X_SEQ], MASK).sum().backward()
    assert torch.equal(x_seq.grad, X_SEQ * later(MASK))


def node(**options):
    return neuron.NonSpikingIFNode(step_mode="m", backend="torch", **options)


@pytest.mark.parametrize(
    ("make", "apart"),
    [
        (node, True),
        (lambda: neuron.IFNode(v_threshold=torch.ones(3, 4), backend="torch"), True),
        (lambda: neuron.IFNode(v_threshold=torch.ones(1, 3, 4), backend="torch"), True),
        (lambda: neuron.IFNode(v_threshold=torch.ones(2, 3, 4), backend="torch"), False),
        (lambda: neuron.IFNode(backend="eager"), False),
        (lambda: neuron.IFNode(store_v_seq=True), False),
        (Sum, False),
        (nn.Identity, False),
    ],
)
def test_which_modules_run_samples_apart(make, apart):
    assert runs_samples_apart(make(), torch.zeros(5, 2, 3, 4)) is apart


def runs_of(module, x_seq, mask):
    """The outputs, and the shapes of the sequences that were run."""
    shapes = []

    def run(seq):
        shapes.append(tuple(seq.shape))
        return module(seq)

    return run_over_mask(run, module, [x_seq], mask), shapes


@pytest.mark.parametrize("start", [None, 2.0, torch.tensor([[1.0], [2.0], [3.0]]).double()])
def test_stretches_run_the_samples_that_go_on(start):
    integrator = node()
    if start is not None:
        integrator.v = start
    outputs, shapes = runs_of(integrator, X_SEQ, MASK)
    expected, last = sums()
    shift = torch.as_tensor(start or 0.0 if not isinstance(start, torch.Tensor) else start)
    assert torch.equal(outputs, expected + shift * MASK.unsqueeze(-1))
    assert torch.equal(integrator.v, last + shift)
    assert shapes == [(1, 2, 1), (2, 1, 1), (1, 2, 1)]


def test_stretches_of_all_samples_run_as_they_are():
    mask = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 1]]).bool()
    x_seq = X_SEQ.clone().requires_grad_()
    outputs, shapes = runs_of(node(), x_seq, mask)
    assert shapes == [(2, 3, 1), (1, 2, 1), (2, 3, 1)]
    assert torch.equal(outputs, sums(mask)[0])
    outputs.sum().backward()
    assert torch.equal(x_seq.grad, later(mask))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.bool])
def test_a_batch_that_has_ended_gives_zeros_and_keeps_its_states(dtype):
    integrator = node()
    mask = torch.zeros(5, 3, dtype=torch.bool)
    outputs, shapes = runs_of(integrator, X_SEQ.to(dtype), mask)
    assert (outputs.any().item(), outputs.shape, shapes) == (False, X_SEQ.shape, [])
    assert outputs.dtype == (dtype if dtype.is_floating_point else torch.float32)
    assert integrator.v == 0.0


def test_a_stretch_that_fails_leaves_the_states():
    integrator = node()
    integrator.v = before = torch.ones(3, 1).double()

    def run(seq):
        integrator.v = integrator.v + 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_over_mask(run, integrator, [X_SEQ], MASK)
    assert integrator.v is before
