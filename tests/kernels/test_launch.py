"""A launch runs one program again and again, and says of its node whether a backward ran."""

import pytest
import torch
from cases import sequence
from spikeframe.kernels import torch_program
from spikeframe.kernels.cache import traced
from spikeframe.kernels.engine import BACKENDS
from spikeframe.kernels.launch import Launch
from spikeframe.kernels.layout import Layout
from torch import nn

from spikeframe import neuron, surrogate

ENGINE = BACKENDS["torch"].engine


def launch_of(node, x_seq, wanted):
    """A launch, its node's parameters, and which of them it differentiates."""
    known = traced(node)
    parameters = known.parameters(node)
    tensors = [i for i, p in enumerate(parameters) if isinstance(p, torch.Tensor)]
    program = known.program((), tensors if wanted else None)
    return Launch(ENGINE, program, Layout(x_seq), parameters), parameters


def make():
    return neuron.ParametricLIFNode(surrogate_function=surrogate.ATan(), step_mode="m")


@pytest.mark.parametrize("start", [0.25, torch.full((2, 3), 0.25)])
def test_spikes_and_states_are_those_of_the_lines(start):
    node, x_seq = make(), sequence((2, 3))
    launch, parameters = launch_of(node, x_seq, wanted=False)
    node.backend, node.v = "eager", 0.25
    for _ in range(2):
        spikes, *last = launch.apply(parameters, x_seq, start)
        assert not spikes.requires_grad
        node.v = 0.25
        assert torch.equal(spikes, node(x_seq))
        assert torch.equal(last[0], node.v)


@pytest.mark.parametrize("is_tensor", [True, False])
def test_gradients_are_those_of_the_lines(is_tensor):
    grads = []
    for fused in (True, False):
        node, x_seq = make(), sequence((2, 3)).requires_grad_()
        v = torch.full((2, 3), 0.25, requires_grad=True) if is_tensor else 0.25
        wanted = [x_seq, node.w, *([v] if is_tensor else [])]
        if fused:
            launch, parameters = launch_of(node, x_seq, wanted=True)
            spikes, last = launch.apply(parameters, x_seq, v)
        else:
            node.backend, node.v = "eager", v
            spikes, last = node(x_seq), node.v
        weights = torch.linspace(-1, 1, spikes.numel()).reshape(spikes.shape)
        grads.append(torch.autograd.grad((spikes * weights).sum() + last.sum(), wanted))
    for found, expected in zip(*grads, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_node_of_the_graph_knows_whether_a_backward_ran():
    node, x_seq = make(), sequence((2, 3)).requires_grad_()
    launch, parameters = launch_of(node, x_seq, wanted=True)
    spikes, last = launch.apply(parameters, x_seq, 0.0)
    assert last.grad_fn is spikes.grad_fn
    assert spikes.grad_fn.backward_ran is False
    spikes.sum().backward(retain_graph=True)
    assert last.grad_fn.backward_ran is True
    again, _ = launch.apply(parameters, x_seq, last.detach())
    assert again.grad_fn.backward_ran is False


def test_gradients_that_nobody_asks_for_are_none():
    """Outputs that are not used are not zeros, to the engine."""
    seen = []

    def backward(program, layout, output_grads, state_grads, *rest):
        seen.append((output_grads, state_grads))
        return torch_program.backward(program, layout, output_grads, state_grads, *rest)

    engine = type(ENGINE)(torch_program.forward, backward, ENGINE.why_not)
    node, x_seq = make(), sequence((2, 3)).requires_grad_()
    known = traced(node)
    parameters = known.parameters(node)
    program = known.program((), ())
    launch = Launch(engine, program, Layout(x_seq), parameters)
    spikes, last = launch.apply(parameters, x_seq, 0.0)
    spikes.sum().backward(retain_graph=True)
    last.sum().backward()
    assert [[grad is None for grad in given] for given, _ in seen] == [[False], [True]]
    assert [[grad is None for grad in given] for _, given in seen] == [[True], [False]]
    assert node.w.grad is None


def test_other_parameters_of_the_same_kinds_are_what_runs():
    node, x_seq = make(), sequence((2, 3))
    launch, parameters = launch_of(node, x_seq, wanted=False)
    first, _ = launch.apply(parameters, x_seq, 0.0)
    node.w = nn.Parameter(torch.tensor(2.0))
    second, _ = launch.apply(traced(node).parameters(node), x_seq, 0.0)
    node.backend = "eager"
    assert torch.equal(second, node(x_seq))
    assert not torch.equal(first, second)
