"""The quadratic and exponential neurons: hand tables, and upstrokes beyond what float32 holds."""

import pytest
import torch

from spikeframe import neuron

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_quadratic_by_hand():
    # v + (x + v (v - 0.8)) / 2: 0.9, 0.945, 0.945 + 0.945 * 0.145 / 2 = 1.0135125 fires
    node = neuron.QIFNode(step_mode="m", v_reset=0.0, store_v_seq=True)
    spikes = node(torch.tensor([[1.8], [0.0], [0.0], [0.0]]))
    assert spikes.flatten().tolist() == [0, 0, 1, 0]
    assert node.v_seq.flatten().tolist() == pytest.approx([0.9, 0.945, 0.0, 0.0])


def test_quadratic_membrane_decays_below_the_critical_potential_and_grows_above():
    node = neuron.QIFNode(v_c=0.8, v_threshold=9.0, step_mode="m")
    node.v = torch.tensor([0.7, 0.8, 0.9])
    node(torch.zeros(1, 3))
    assert node.v[0] < 0.7
    assert node.v[1] == pytest.approx(0.8)
    assert node.v[2] > 0.9


def test_exponential_by_hand():
    # v + (x - v + exp(v - 0.8)) / 2 from -0.1 by e^-0.9 = 0.40657
    node = neuron.EIFNode(step_mode="m")
    node(torch.tensor([[0.5]]))
    assert node.v.item() == pytest.approx(-0.1 + (0.5 + 0.1 + 0.40656966) / 2)


def test_a_flat_upstroke_is_a_leaky_membrane():
    leaky = neuron.LIFNode(tau=3.0, v_reset=0.0, v_threshold=5.0, step_mode="m")
    sharp = neuron.EIFNode(
        tau=3.0, delta_T=1e-3, theta_rh=4.0, v_reset=0.0, v_threshold=5.0, step_mode="m"
    )
    x_seq = torch.rand(20, 5, generator=torch.Generator().manual_seed(0))
    leaky(x_seq), sharp(x_seq)
    assert torch.allclose(leaky.v, sharp.v, atol=1e-6)


@pytest.mark.parametrize("backend", ["eager", "torch"])
@pytest.mark.parametrize("kind", [neuron.EIFNode, neuron.AdExNode])
def test_a_sharp_upstroke_ends_in_a_spike_and_a_reset(kind, backend):
    """exp(0.5 / 1e-3) is no float32; 0 times it would be nan."""
    node = kind(delta_T=1e-3, theta_rh=0.8, v_threshold=1.5, step_mode="m", backend=backend)
    x_seq = torch.full((6, 1), 2.8).requires_grad_()
    spikes = node(x_seq)
    spikes.sum().backward()
    assert spikes.sum() >= 1
    assert node.v.isfinite().all()
    assert x_seq.grad.isfinite().all()
