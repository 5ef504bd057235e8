"""Nodes that hear their own spikes: against the plain node, looped by hand."""

import pytest
import torch
from cases import sequence
from torch import nn

from spikeframe import functional, kernels, neuron, rnn

PAIRS = (
    (rnn.RecurrentIFNode, neuron.IFNode, {}),
    (rnn.RecurrentLIFNode, neuron.LIFNode, {"tau": 3.0, "v_reset": None}),
    (rnn.RecurrentParametricLIFNode, neuron.ParametricLIFNode, {"init_tau": 3.0}),
)
FEEDBACKS = {
    "number": (lambda: -0.7, (3, 5)),
    "per neuron": (lambda: nn.Parameter(torch.linspace(-1, 1, 5)), (3, 5)),
    "dense": (lambda: nn.Linear(5, 5), (3, 5)),
    "convolution": (lambda: nn.Conv2d(2, 2, 3, padding=1), (3, 2, 4, 4)),
}


@pytest.mark.parametrize("name", FEEDBACKS)
@pytest.mark.parametrize(("recurrent", "plain", "arguments"), PAIRS)
def test_the_last_spikes_come_back(recurrent, plain, arguments, name):
    make, size = FEEDBACKS[name]
    torch.manual_seed(0)
    feedback = make()
    node, alone = recurrent(feedback, **arguments, step_mode="m"), plain(**arguments)
    x_seq, spikes, expected = 2 * sequence(size, T=12), torch.zeros(size), []
    inputs = [x_seq.clone().requires_grad_() for _ in range(2)]
    for x in inputs[0]:
        back = feedback(spikes) if isinstance(feedback, nn.Module) else feedback * spikes
        spikes = alone(x + back)
        expected.append(spikes)
    output = node(inputs[1])
    assert torch.equal(output, torch.stack(expected))
    assert 0.05 < output.mean() < 0.95
    learned = [node.V] if isinstance(feedback, nn.Parameter) else []
    learned += list(feedback.parameters()) if isinstance(feedback, nn.Module) else []
    own = [[module.w] if hasattr(module, "w") else [] for module in (alone, node)]
    wanted = torch.autograd.grad(torch.stack(expected).sum(), [inputs[0], *own[0], *learned])
    found = torch.autograd.grad(output.sum(), [inputs[1], *own[1], *learned])
    for a, b in zip(wanted, found, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)
    assert (kernels.why_not(node, "torch") is None) == (name in ("number", "per neuron"))
    functional.reset_net(node)
    assert node.spk == 0.0


def test_any_neuron_becomes_recurrent():
    class RecurrentLeaky(rnn.Recurrent, neuron.Leaky):
        pass

    node = RecurrentLeaky(-0.5, 0.9, reset_mechanism="none", step_mode="m")
    theirs = neuron.RLeaky(0.9, -0.5, all_to_all=False, reset_mechanism="none", step_mode="m")
    x_seq = sequence((3,), T=70)
    assert torch.equal(node(x_seq), theirs(x_seq))
    assert [name for name, _ in node.named_memories()] == ["mem", "spk"]


@pytest.mark.parametrize("features", [1, 4])
def test_feedback_of_another_shape_is_refused(features):
    """That of one feature would be broadcast."""
    node = rnn.RecurrentLIFNode(nn.Linear(3, features))
    with pytest.raises(ValueError, match=rf"feedback makes \[2, {features}\] of spikes \[2, 3\]"):
        node(torch.ones(2, 3))
