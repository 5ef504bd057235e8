"""Sums over a window of time, against the sum written out."""

import pytest
import torch
from reference import relative_error

from spikeframe.neuron import window
from spikeframe.neuron.window import shifted_rows, window_sum


def literal(x_seq, weight, before=()):
    steps = [*before, *x_seq]
    first, k = len(before), len(weight)
    return torch.stack(
        [
            sum(weight[k - 1 - i] * steps[t - i] for i in range(k) if t - i >= 0)
            for t in range(first, len(steps))
        ]
    )


def test_shifted_rows_by_hand():
    rows = shifted_rows(torch.tensor([1.0, 2.0]), 3)
    assert rows.tolist() == [[1, 2, 0, 0], [0, 1, 2, 0], [0, 0, 1, 2]]


@pytest.mark.parametrize("block", [1, 3, 32])
@pytest.mark.parametrize("k", [1, 2, 5, 40])
@pytest.mark.parametrize("T", [1, 2, 7, 65])
def test_the_sum_and_its_gradients(T, k, block, monkeypatch):
    monkeypatch.setattr(window, "BLOCK", block)
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64, "requires_grad": True}
    x_seq, weight = torch.randn(T, 3, 2, **options), torch.randn(k, **options)
    for n in {0, 1, k - 1} - ({1} if k == 1 else set()):
        before = torch.randn(n, 3, 2, **options)
        found, expected = (f(x_seq, weight, tuple(before)) for f in (window_sum, literal))
        assert relative_error(found.detach(), expected.detach()) < 1e-12
        weights = torch.randn(T, 3, 2, generator=generator, dtype=torch.float64)
        wanted = [x_seq, weight, before] if n else [x_seq, weight]
        for a, b in zip(
            *(torch.autograd.grad((h * weights).sum(), wanted) for h in (found, expected)),
            strict=True,
        ):
            assert relative_error(a, b) < 1e-12


def test_twice_as_many_steps_take_twice_the_work():
    """Counted as multiplications, which no busy machine can change."""
    from torch.utils.flop_counter import FlopCounterMode

    work = []
    for T in (512, 1024, 2048):
        with FlopCounterMode(display=False) as counter:
            window_sum(torch.zeros(T, 4), torch.zeros(8))
        work.append(counter.get_total_flops())
    assert work[1] == 2 * work[0]
    assert work[2] == 4 * work[0]
