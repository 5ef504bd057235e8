"""Spikes, gradients and potentials that SpikingJelly 0.0.0.0.12 gave, recorded once."""

import pytest
import torch

from spikeframe.compat.spikingjelly.clock_driven import neuron

# Class, arguments, spikes, the gradient along the weights, the last potential.
RECORDED = [
    ("MultiStepIFNode", {}, "110000000110000000110000", 1.77983, -1.8109),
    ("MultiStepIFNode", {"v_reset": None}, "111000000111100000111000", 0.04718, -1.12812),
    ("MultiStepLIFNode", {"detach_reset": True}, "010000000100000000100000", 1.86286, -0.71537),
    (
        "MultiStepLIFNode",
        {"tau": 1.5, "v_reset": -0.3},
        *("010000000100000000100000", 2.14161, -1.18848),
    ),
    (
        "MultiStepParametricLIFNode",
        {"init_tau": 3.0, "v_threshold": 0.4},
        *("110000001110000001110000", 1.90228, -0.55705),
    ),
    ("MultiStepEIFNode", {}, "101000001101000001101000", 2.16945, -0.49248),
]


@pytest.mark.parametrize(("name", "options", "spikes", "gradient", "v"), RECORDED)
@pytest.mark.parametrize("backend", ["auto", "eager", "torch"])
def test_neurons_give_what_the_release_gave(backend, name, options, spikes, gradient, v):
    steps = torch.arange(24.0)[:, None]
    x_seq = (1.5 * torch.cos(steps * 0.7) + 0.4).requires_grad_()
    weights = torch.sin(steps * 1.3)
    node = getattr(neuron, name)(**options, backend=backend)
    y_seq = node(x_seq)
    y_seq.backward(weights)
    assert "".join(str(int(s)) for s in y_seq.flatten()) == spikes
    assert (x_seq.grad * weights).sum().item() == pytest.approx(gradient, abs=2e-5)
    assert node.v.item() == pytest.approx(v, abs=2e-5)
    assert node.v_seq[-1].item() == pytest.approx(v, abs=2e-5)
