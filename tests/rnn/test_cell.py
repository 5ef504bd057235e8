"""The spiking cells by their equations, with gradients."""

import pytest
import torch
from cases import sequence

from spikeframe import rnn, surrogate

CELLS = {
    "vanilla": rnn.SpikingVanillaRNNCell,
    "gru": rnn.SpikingGRUCell,
    "lstm": rnn.SpikingLSTMCell,
}


def literal(cell, x, h, c):
    a, b = cell.linear_ih(x), cell.linear_hh(h)
    fire, candidate = (
        cell.surrogate_function1,
        cell.surrogate_function2 or cell.surrogate_function1,
    )
    n = cell.hidden_size
    a, b = a.split(n, 1), b.split(n, 1)
    if len(a) == 1:
        return fire(a[0] + b[0]), c
    if len(a) == 3:
        r, z = fire(a[0] + b[0]), fire(a[1] + b[1])
        return (1 - z) * candidate(a[2] + r * b[2]) + z * h, c
    i, f, o = (fire(a[k] + b[k]) for k in (0, 1, 3))
    c = f * c + i * candidate(a[2] + b[2])
    c = torch.where(c > 1, c - c.detach() + 1, c)
    return o * c, c


@pytest.mark.parametrize("second", [None, surrogate.ATan()], ids=["one", "two"])
@pytest.mark.parametrize("name", CELLS)
def test_cells_follow_their_equations(name, second):
    torch.manual_seed(0)
    arguments = {} if name == "vanilla" else {"surrogate_function2": second}
    cell = CELLS[name](3, 4, **arguments).double()
    x_seq = (sequence((5, 3), dtype=torch.float64) - 0.8).requires_grad_()
    h, c = torch.zeros(2, 5, 4, dtype=torch.float64)
    state, outputs, expected = None, [], []
    for x in x_seq:
        state = cell(x, state)
        outputs.append(state[0] if name == "lstm" else state)
        h, c = literal(cell, x, h, c)
        expected.append(h)
    outputs, expected = torch.stack(outputs), torch.stack(expected)
    assert torch.equal(outputs, expected)
    assert 0 < outputs.mean() < 1
    weights = sequence((5, 4), seed=1, dtype=torch.float64)
    wanted = [x_seq, *cell.parameters()]
    grads = [torch.autograd.grad((o * weights).sum(), wanted) for o in (outputs, expected)]
    for ours, theirs in zip(*grads, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)
        assert ours.abs().sum() > 0


def test_a_cell_state_stays_at_one_and_its_gradient_passes():
    cell = rnn.SpikingLSTMCell(1, 1)
    c = torch.tensor([[1.0]], requires_grad=True)
    h, new = cell.step(torch.full((1, 4), 9.0), (torch.zeros(1, 1), c))
    assert (h.item(), new.item()) == (1.0, 1.0)
    new.sum().backward()
    assert c.grad.item() == 1.0


def test_surrogates_must_agree():
    with pytest.raises(ValueError, match="must both spike, or neither, got spiking=True and spik"):
        rnn.SpikingGRUCell(3, 4, surrogate_function2=surrogate.ATan(spiking=False))
    smooth = [surrogate.ATan(spiking=False) for _ in range(2)]
    output = rnn.SpikingGRUCell(3, 4, True, *smooth)(torch.ones(2, 3))
    assert ((output > 0) & (output < 1)).all()


def test_each_cell_has_a_surrogate_of_its_own():
    first, second = rnn.SpikingLSTM(3, 4, num_layers=2).cells
    assert first.surrogate_function1 is not second.surrogate_function1
    assert isinstance(first.surrogate_function1, surrogate.Erf)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: rnn.SpikingLSTMCell(3, 4)(torch.ones(3)),
            *(ValueError, r"SpikingLSTMCell takes \[N, 3\], got \[3\]"),
        ),
        (
            lambda: rnn.SpikingLSTMCell(3, 4)(torch.ones(2, 3), torch.zeros(2, 4)),
            *(ValueError, r"SpikingLSTMCell has 2 states of shape \[2, 4\], got \[\[2, 4\]\]"),
        ),
        (
            lambda: rnn.SpikingGRUCell(3, 4)(torch.ones(2, 3), torch.zeros(1, 4)),
            *(ValueError, r"SpikingGRUCell has 1 states of shape \[2, 4\], got \[\[1, 4\]\]"),
        ),
        (
            lambda: rnn.SpikingGRUCell(3, 4)(torch.ones(2, 3), "zeros"),
            *(TypeError, "states must be a tensor or a tuple of tensors, got str"),
        ),
        (
            lambda: rnn.SpikingGRUCell(3, 4, surrogate_function1=surrogate.ATan),
            *(TypeError, r"write ATan\(\) rather than ATan"),
        ),
        (
            lambda: rnn.SpikingGRUCell(3, 4, surrogate_function2=3),
            *(TypeError, "surrogate_function must be callable"),
        ),
        (lambda: rnn.SpikingGRUCell(3.0, 4), TypeError, "input_size must be an int of at least 1"),
    ],
)
def test_bad_arguments_say_what_is_allowed(call, error, text):
    with pytest.raises(error, match=text):
        call()
