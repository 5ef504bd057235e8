"""The recurrent neurons: three kinds of feedback, and what they refuse."""

import pytest
import torch
from cases import sequence
from torch import nn

from spikeframe import functional, kernels, neuron

FEEDBACKS = {
    "one to one": ({"all_to_all": False, "V": -0.7}, (3, 5)),
    "dense": ({"linear_features": 5}, (3, 5)),
    "dense, unbatched": ({"linear_features": 5}, (5,)),
    "convolutional": ({"conv2d_channels": 2, "kernel_size": 3}, (3, 2, 4, 4)),
    "oblong": ({"conv2d_channels": 2, "kernel_size": (1, 5)}, (3, 2, 4, 5)),
}
MAKES = {
    "RLeaky": lambda **kwargs: neuron.RLeaky(0.8, **kwargs),
    "RSynaptic": lambda **kwargs: neuron.RSynaptic(0.3, 0.8, **kwargs),
}


@pytest.mark.parametrize("reset_delay", [True, False])
@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("make", MAKES)
def test_the_last_spikes_come_back(make, feedback, reset_delay):
    arguments, size = FEEDBACKS[feedback]
    torch.manual_seed(0)
    node = MAKES[make](**arguments, reset_delay=reset_delay, graded_spikes_factor=2.0)
    plain = {"RLeaky": neuron.Leaky(0.8), "RSynaptic": neuron.Synaptic(0.3, 0.8)}[make]
    plain.reset_delay, plain.graded_spikes_factor = reset_delay, 2.0
    spikes, fired = torch.zeros(size), 0.0
    for x in 2 * sequence(size, T=12):
        back = spikes * node.V if node.recurrent is None else node.recurrent(spikes)
        spikes = node(x)
        assert torch.equal(spikes, plain(x + back.detach()))
        assert torch.equal(node.spk, spikes)
        fired += spikes.mean().item()
    assert 0 < fired < 24
    functional.reset_net(node)
    assert node.spk == 0.0


@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("make", MAKES)
def test_weights_learn_unless_told_otherwise(make, feedback):
    arguments, size = FEEDBACKS[feedback]
    node = MAKES[make](**arguments, step_mode="m")
    node(2 * sequence(size, T=12)).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in node.parameters())
    frozen = MAKES[make](**arguments, learn_recurrent=False)
    assert not any(p.requires_grad for p in frozen.parameters())


def test_one_to_one_is_part_of_the_kernel():
    assert kernels.why_not(neuron.RLeaky(0.8, all_to_all=False), "torch") is None
    dense = kernels.why_not(neuron.RLeaky(0.8, linear_features=3), "torch")
    assert "hears spk through recurrent, step by step" in dense


def test_any_neuron_hears_itself_by_the_mixin():
    class RecurrentIF(neuron.Feedback, neuron.IFNode):
        def __init__(self, weights, **options):
            super().__init__(**options)
            self.set_feedback(weights)

        def neuronal_charge(self, x):
            super().neuronal_charge(x + self.feedback())

    node, plain = RecurrentIF(-0.5, step_mode="m"), neuron.IFNode()
    x_seq, spikes = sequence((3,), T=12), torch.zeros(3)
    outputs = []
    for x in x_seq:
        spikes = plain(x - 0.5 * spikes)
        outputs.append(spikes)
    assert torch.equal(node(x_seq), torch.stack(outputs))
    assert kernels.why_not(node, "torch") is None
    dense = RecurrentIF(nn.Linear(3, 3), step_mode="m")
    assert dense(x_seq).shape == (12, 3)


def test_half_precision_weights_serve_float32_states():
    node = neuron.RLeaky(0.8, linear_features=5, step_mode="m").to(torch.bfloat16)
    assert node(sequence((3, 5), dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert node.mem.dtype == torch.float32


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {},
            "all_to_all=True takes linear_features, or conv2d_channels and kernel_size, got none",
        ),
        ({"conv2d_channels": 2}, "got conv2d_channels"),
        ({"linear_features": 3, "kernel_size": 3}, "got linear_features and kernel_size"),
        (
            {"all_to_all": False, "linear_features": 3},
            "=False takes V alone, got linear_feat",
        ),
        ({"conv2d_channels": 2, "kernel_size": 2}, "kernel_size must be odd.*got 2"),
        ({"conv2d_channels": 2, "kernel_size": (3, 4)}, r"kernel_size must be odd.*got \(3, 4\)"),
    ],
)
@pytest.mark.parametrize("make", MAKES)
def test_bad_feedbacks_say_what_is_allowed(make, arguments, text):
    with pytest.raises(ValueError, match=text):
        MAKES[make](**arguments)
