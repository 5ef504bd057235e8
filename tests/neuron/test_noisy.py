"""Noise as a second input, and its colours."""

import pytest
import torch

from spikeframe import kernels, neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


class NoisyLIFNode(neuron.Noisy, neuron.LIFNode):
    """Noise on a leaky membrane."""


def test_noise_is_added_to_the_input():
    x_seq, noise = torch.rand(8, 5), torch.randn(8, 5)
    node = NoisyLIFNode(sigma=0.5, step_mode="m", backend="eager")
    plain = neuron.LIFNode(step_mode="m", backend="eager")
    assert torch.equal(node(x_seq, noise), plain(x_seq + 0.5 * noise))
    node.reset(), plain.reset()
    assert torch.equal(node(x_seq), plain(x_seq))


def test_it_is_fused_and_repeats():
    x_seq, noise = torch.rand(8, 5) * 2, torch.randn(8, 5)
    found = []
    for backend in ("eager", "torch", "torch"):
        node = NoisyLIFNode(tau=3.0, sigma=torch.tensor(0.5), step_mode="m", backend=backend)
        found.append(node(x_seq, noise))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[1], found[2])
    assert kernels.why_not(NoisyLIFNode(), "torch") is None
    assert "sigma=0.5" in repr(NoisyLIFNode())


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("steps", [255, 256])
def test_noise_has_unit_variance_and_the_power_law(steps, exponent):
    generator = torch.Generator().manual_seed(0)
    noise = neuron.powerlaw_noise((steps, 4000), exponent, generator=generator)
    assert noise.shape == (steps, 4000)
    assert noise.square().mean().item() == pytest.approx(1.0, rel=0.03)
    power = torch.fft.rfft(noise, dim=0).abs().square().mean(1)
    low, high = power[8:12].mean(), power[80:120].mean()
    assert torch.log10(low / high).item() == pytest.approx(exponent, abs=0.1)


def test_below_fmin_the_spectrum_is_flat():
    generator = torch.Generator().manual_seed(0)
    noise = neuron.powerlaw_noise((256, 4000), 2.0, fmin=0.25, generator=generator)
    power = torch.fft.rfft(noise, dim=0).abs().square().mean(1)
    assert (power[10] / power[50]).item() == pytest.approx(1.0, rel=0.15)


def test_the_generator_decides():
    drawn = [
        neuron.powerlaw_noise((9, 2), 1.0, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 steps, got size=\(1, 3\)"):
        neuron.powerlaw_noise((1, 3))
    with pytest.raises(ValueError, match="fmin must be from 0 to 0.5 cycles per step, got 0.6"):
        neuron.powerlaw_noise((8,), fmin=0.6)
    with pytest.raises(ValueError, match="exponent must be finite, got inf"):
        neuron.powerlaw_noise((8,), float("inf"))
