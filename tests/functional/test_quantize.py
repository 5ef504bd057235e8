"""Levels of states, against a comparison with every level."""

import pytest
import torch

from spikeframe import functional, neuron


@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize("centre", [None, 0.0, 1.0])
def test_values_go_to_the_nearest_level(bits, centre):
    levels = (
        functional.uniform_levels(bits)
        if centre is None
        else functional.exponential_levels(bits, centre=centre)
    )
    x = torch.linspace(-3, 3, 501)
    nearest = levels[(x[:, None] - levels).abs().argmin(1)]
    quantized = functional.LevelQuantizer(levels)(x)
    torch.testing.assert_close((x - quantized).abs(), (x - nearest).abs(), rtol=0, atol=1e-6)
    assert len(levels) == 2**bits


def test_the_gradient_passes():
    x = torch.tensor([0.3, 9.0], requires_grad=True)
    functional.LevelQuantizer([0.0, 1.0])(x).backward(torch.tensor([2.0, 3.0]))
    assert x.grad.tolist() == [2, 3]


@pytest.mark.parametrize("centre", [0.0, 1.0])
def test_exponential_levels_are_densest_at_their_centre(centre):
    levels = functional.exponential_levels(6, upper_limit=0.5, lower_limit=0.25, centre=centre)
    distances = levels.diff()
    assert (distances > 0).all()
    below = distances[: int((levels < centre).sum()) - 1]
    assert (below.diff() < 1e-6).all()
    assert levels[0] == pytest.approx(-1.25)
    assert levels[-1] == pytest.approx(1.5)


def test_a_neuron_keeps_its_state_on_the_levels():
    quantizer = functional.LevelQuantizer(functional.uniform_levels(3))
    node = neuron.Leaky(beta=0.9, state_quant=quantizer)
    for _ in range(5):
        node(torch.rand(4, 3))
    assert torch.isin(node.mem, quantizer.levels).all()


def test_errors_say_what_is_allowed():
    with pytest.raises(ValueError, match="at least one number and ascend"):
        functional.LevelQuantizer([1.0, 0.0])
    with pytest.raises(ValueError, match="bits must be an int from 1 to 16, got 0"):
        functional.uniform_levels(0)
    with pytest.raises(ValueError, match="threshold must be greater than 0"):
        functional.uniform_levels(2, threshold=0)
    with pytest.raises(ValueError, match=r"ratio must be in \(0, 1\] and centre in"):
        functional.exponential_levels(2, ratio=2.0)
