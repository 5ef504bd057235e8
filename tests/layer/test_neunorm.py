"""NeuNorm against its equations."""

import pytest
import torch

from spikeframe import layer


@pytest.mark.parametrize("shared", [False, True])
def test_neunorm_subtracts_the_weighted_mean(shared):
    norm = layer.NeuNorm(3, 4, 5, k=0.6, shared_across_channels=shared, step_mode="m").double()
    assert norm.w.shape == (1 if shared else 3, 4, 5)
    s_seq = torch.randint(0, 2, (6, 2, 3, 4, 5)).double()
    mean, expected = torch.zeros(2, 1, 4, 5).double(), []
    for s in s_seq:
        mean = 0.6 * mean + (1 - 0.6) / 9 * s.sum(1, keepdim=True)
        expected.append(s - norm.w * mean)
    torch.testing.assert_close(norm(s_seq), torch.stack(expected))
    torch.testing.assert_close(norm.x, mean)


def test_neunorm_gradients():
    norm = layer.NeuNorm(2, 1, 2, step_mode="m").double()

    def run(s_seq, w):
        norm.reset()
        return torch.func.functional_call(norm, {"w": w}, (s_seq,))

    s_seq = torch.rand(3, 2, 2, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (s_seq, norm.w.detach().requires_grad_()))


def test_neunorm_takes_whole_numbers_and_keeps_its_precision():
    norm = layer.NeuNorm(3, 2, 2).bfloat16()
    spikes = torch.ones(1, 3, 2, 2)
    assert norm(spikes.bfloat16()).dtype == torch.bfloat16
    assert norm.x.dtype == torch.float32
    norm.reset()
    assert norm(spikes.bool()).is_floating_point()


def test_neunorm_refuses_other_sizes():
    norm = layer.NeuNorm(3, 4, 5)
    text = r"NeuNorm was made for \[C, H, W\] = \[3, 4, 5\], got an input of shape \[2, 3, 4, 4\]"
    with pytest.raises(ValueError, match=text):
        norm(torch.ones(2, 3, 4, 4))
    with pytest.raises(ValueError, match=r"must be at least 1, got \[0, 4, 5\]"):
        layer.NeuNorm(0, 4, 5)
    with pytest.raises(ValueError, match=r"k must be from 0 to 1, the decay per step, got 1\.5"):
        layer.NeuNorm(3, 4, 5, k=1.5)
