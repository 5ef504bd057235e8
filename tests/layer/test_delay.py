"""Delays of whole and of learned steps."""

import pytest
import torch
from torch import nn

from spikeframe import functional, layer


def sequence(T=7, *shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(T, *shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("delay", [0, 1, 3, 9])
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)], ids=str)
def test_delay_gives_earlier_inputs(delay, shape):
    x_seq = sequence(7, *shape)
    zeros = torch.zeros(delay, *shape, dtype=torch.float64)
    expected = torch.cat((zeros, x_seq))[:7]
    module = layer.Delay(delay, step_mode="m")
    assert torch.equal(module(x_seq), expected)
    module.reset()
    functional.set_step_mode(module, "s")
    assert torch.equal(torch.stack([module(x) for x in x_seq]), expected)
    assert module.delay_steps == delay


def test_delay_hands_gradients_back_in_time():
    x_seq = sequence(5, 2).requires_grad_()
    layer.Delay(2, step_mode="m")(x_seq).sum().backward()
    assert x_seq.grad.sum(1).tolist() == [2.0, 2.0, 2.0, 0.0, 0.0]


def test_learned_delay_interpolates():
    delays = torch.tensor([0.0, 0.25, 1.0, 2.875, 3.0], dtype=torch.float64)
    module, x_seq = layer.LearnableDelay(delays, 3, step_mode="m").double(), sequence(7, 2, 5)
    expected = torch.zeros_like(x_seq)
    for i, delay in enumerate(delays.tolist()):
        whole, part = int(delay), delay - int(delay)
        for t in range(7):
            for lag, share in ((whole, 1 - part), (whole + 1, part)):
                if t >= lag and share:
                    expected[t, :, i] += share * x_seq[t - lag, :, i]
    torch.testing.assert_close(module(x_seq), expected)


def test_learned_delay_of_whole_steps_is_a_delay_with_a_gradient():
    learned, fixed = layer.LearnableDelay(2.0, 4, step_mode="m"), layer.Delay(2, step_mode="m")
    x_seq = sequence(7, 2, 3).float()
    assert torch.equal(learned(x_seq), fixed(x_seq))
    learned.reset()
    learned(x_seq)[5].sum().backward()
    torch.testing.assert_close(learned.delay.grad, (x_seq[2] - x_seq[3]).sum())


def test_learned_delay_gradients():
    module = layer.LearnableDelay(torch.tensor([[0.3], [1.6]]), 2, step_mode="m").double()

    def run(x_seq, delay):
        module.reset()
        return torch.func.functional_call(module, {"delay": delay}, (x_seq,))

    x_seq = sequence(4, 2, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(run, (x_seq, module.delay.detach().requires_grad_()))


@pytest.mark.parametrize(("pushed", "nearest"), [(-0.7, 0.0), (5.2, 3.0)])
def test_a_delay_pushed_out_of_range_comes_back(pushed, nearest):
    module, x_seq = layer.LearnableDelay(1.0, 3, step_mode="m").double(), sequence(7, 2)
    module.delay.data.fill_(pushed)
    whole = layer.Delay(int(nearest), step_mode="m")
    torch.testing.assert_close(module(x_seq), whole(x_seq))
    module.reset()
    module(x_seq).square().sum().backward()
    assert module.delay.grad.abs() > 0


def test_learned_delay_learns():
    x_seq = sequence(40, 1, 1).float()
    x_seq = nn.functional.avg_pool1d(x_seq.view(1, 1, -1), 5, 1, 2).view(40, 1, 1)
    target = layer.Delay(3, step_mode="m")(x_seq)
    module = layer.LearnableDelay(1.5, 5, step_mode="m")
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(80):
        module.reset()
        optimizer.zero_grad()
        (module(x_seq) - target).square().mean().backward()
        optimizer.step()
    assert module.delay.item() == pytest.approx(3.0, abs=0.05)


def test_delays_refuse():
    for delay in (-1, 1.5, True):
        with pytest.raises(ValueError, match=rf"delay_steps must be an int .* got {delay!r}: for"):
            layer.Delay(delay)
    with pytest.raises(ValueError, match="max_delay must be an int of at least 1, got 0"):
        layer.LearnableDelay(0.0, 0)
    with pytest.raises(ValueError, match=r"from 0 to max_delay=2, .* from 0.0 to 2.5"):
        layer.LearnableDelay(torch.tensor([0.0, 2.5]), 2)
    module = layer.LearnableDelay(torch.zeros(3), 2, step_mode="m")
    with pytest.raises(ValueError, match=r"delay has shape \[3\], which .* input \[2, 4\]"):
        module(sequence(5, 2, 4))
