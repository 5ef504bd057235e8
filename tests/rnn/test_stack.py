"""Layers of cells: both directions, explicit states, dropout."""

import pytest
import torch
from cases import sequence

from spikeframe import rnn

NETS = {"vanilla": rnn.SpikingVanillaRNN, "gru": rnn.SpikingGRU, "lstm": rnn.SpikingLSTM}


def make(name, *args, **kwargs):
    torch.manual_seed(0)
    return NETS[name](*args, **kwargs).double()


def inputs(T=7):
    return sequence((2, 3), T, dtype=torch.float64) - 0.8


def as_tuple(states):
    return states if isinstance(states, tuple) else (states,)


def by_hand(net, x):
    """Cell by cell, step by step."""
    ends = {}
    for i in range(net.num_layers):
        outputs = []
        for d, cells in enumerate(
            [net.cells, *([net.cells_reverse] if net.bidirectional else [])]
        ):
            state, steps = None, []
            for step in x.flip(0) if d else x:
                state = cells[i](step, state)
                steps.append(as_tuple(state)[0])
            outputs.append(torch.stack(steps[::-1] if d else steps))
            ends[d, i] = as_tuple(state)
        x = torch.cat(outputs, -1)
    return x, [torch.stack(s) for s in zip(*(ends[k] for k in sorted(ends)), strict=True)]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("name", NETS)
def test_layers_are_cells_over_time(name, num_layers, bidirectional):
    net = make(name, 3, 4, num_layers, bidirectional=bidirectional)
    x = inputs().requires_grad_()
    output, states = net(x)
    expected, ends = by_hand(net, x)
    assert output.shape == (7, 2, 8 if bidirectional else 4)
    assert torch.equal(output, expected)
    assert all(torch.equal(a, b) for a, b in zip(as_tuple(states), ends, strict=True))
    assert as_tuple(states)[0].shape == (num_layers * (1 + bidirectional), 2, 4)
    output.sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NETS)
def test_a_sequence_goes_on_from_the_states(name):
    net, x = make(name, 3, 4, 2), inputs()
    whole, end = net(x)
    first, states = net(x[:3])
    second, last = net(x[3:], states)
    assert torch.equal(torch.cat([first, second]), whole)
    assert all(torch.equal(a, b) for a, b in zip(as_tuple(end), as_tuple(last), strict=True))


def test_dropout_is_between_layers_in_training_and_may_hold_its_mask():
    x = torch.ones(50, 20, 3, dtype=torch.float64)
    for invariant in (False, True):
        net = make("gru", 3, 30, 2, dropout_p=0.4, invariant_dropout_mask=invariant)
        seen = []

        def watch(_, args, seen=seen):
            seen.append(args[0])

        net.cells[1].linear_ih.register_forward_pre_hook(watch)
        net(x)
        net.eval()(x)
        dropped, kept = seen
        lost = (dropped == 0) & (kept != 0)
        share = lost.sum() / (kept != 0).sum()
        assert 0.33 < share < 0.47
        assert torch.allclose(dropped[~lost], kept[~lost] / 0.6)
        always = lost | (kept == 0)
        assert torch.equal(always.all(0), lost.any(0) | (kept == 0).all(0)) == invariant


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: rnn.SpikingGRU(3, 4, 0), ValueError, "num_layers must be an int of at least 1"),
        (
            lambda: rnn.SpikingGRU(3, 4, dropout_p=1),
            ValueError,
            r"dropout_p must be in \[0, 1\)",
        ),
        (
            lambda: rnn.SpikingGRU(3, 4)(torch.ones(5, 3)),
            *(ValueError, r"takes \[T, N, 3\] of at least one step, got \[5, 3\]"),
        ),
        (
            lambda: rnn.SpikingGRU(3, 4)(torch.ones(0, 2, 3)),
            *(ValueError, r"of at least one step, got \[0, 2, 3\]"),
        ),
        (lambda: rnn.SpikingGRU(3, 4)([1.0]), TypeError, "SpikingGRU takes a tensor, got list"),
        (lambda: rnn.SpikingGRU(3, 0), ValueError, "hidden_size must be an int of at least 1"),
        (lambda: rnn.SpikingGRU(3, 4, 1.5), TypeError, "num_layers must be an int of at least 1"),
        (
            lambda: rnn.SpikingGRU(3, 4, bidirectional=2),
            *(TypeError, "bidirectional must be True or False, got 2"),
        ),
        (
            lambda: rnn.SpikingLSTM(3, 4)(torch.ones(5, 2, 3), torch.zeros(1, 2, 4)),
            *(ValueError, r"has 2 states of shape \[1, 2, 4\], got \[\[1, 2, 4\]\]"),
        ),
        (
            lambda: rnn.SpikingGRU(3, 4)(torch.ones(5, 2, 3), torch.zeros(1, 3, 4)),
            *(ValueError, r"has 1 states of shape \[1, 2, 4\], got \[\[1, 3, 4\]\]"),
        ),
        (
            lambda: rnn.SpikingGRU(3, 4)(torch.ones(5, 2, 3), [torch.zeros(1, 2, 4)]),
            *(TypeError, "states must be a tensor or a tuple of tensors, got list"),
        ),
    ],
)
def test_bad_arguments_say_what_is_allowed(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_networks_equal_spikingjellys(name, bidirectional):
    theirs = pytest.importorskip(
        "spikingjelly.activation_based.rnn", reason="spikingjelly is not installed (make parity)"
    )
    torch.manual_seed(1)
    net = getattr(theirs, NETS[name].__name__)(3, 4, 2, bidirectional=bidirectional).double()
    ours = make(name, 3, 4, 2, bidirectional=bidirectional)
    ours.load_state_dict(net.state_dict())
    x = inputs(20)
    shape = (2 * (1 + bidirectional), 2, 4)
    start = tuple((torch.rand(shape).double() > 0.5).double() for _ in range(2))
    start = start if name == "lstm" else start[0]
    results = []
    for module in (ours, net):
        x_seq = x.clone().requires_grad_()
        output, states = module(x_seq, start)
        (output * sequence(output.shape[1:], 20, seed=2, dtype=torch.float64)).sum().backward()
        results.append([output.detach(), *as_tuple(states), x_seq.grad])
        results[-1] += [p.grad for p in module.parameters()]
    assert 0.05 < results[0][0].mean() < 0.95
    assert torch.equal(results[0][0], results[1][0])
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-9)
