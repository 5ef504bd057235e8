"""Decays that learn: three forms, and the gradient at the border."""

import pytest
import torch
from cases import sequence

from spikeframe import neuron
from spikeframe.neuron.decay import decay


@pytest.mark.parametrize("backend", ["eager", "torch"])
def test_a_decay_pushed_over_the_border_comes_back(backend):
    node = neuron.Leaky(0.95, learn_beta=True, step_mode="m", backend=backend)
    with torch.no_grad():
        node.beta.fill_(1.3)
    fixed = neuron.Leaky(1.0, step_mode="m")
    x_seq = sequence((5,))
    spikes = node(x_seq)
    assert torch.equal(spikes, fixed(x_seq))
    spikes.sum().backward()
    assert node.beta.grad > 0
    optimizer = torch.optim.SGD([node.beta], lr=0.5 / node.beta.grad.item())
    optimizer.step()
    assert node.beta.item() == pytest.approx(0.8)


def test_inside_the_gradient_is_that_of_beta():
    beta = torch.tensor([0.0, 0.3, 1.0], requires_grad=True)
    assert torch.equal(decay(beta), beta)
    decay(beta).sum().backward()
    assert beta.grad.tolist() == [1.0, 1.0, 1.0]
    assert decay(torch.tensor([-0.5, 7.0])).tolist() == [0.0, 1.0]
    assert decay(0.25) == 0.25


@pytest.mark.parametrize(("form", "name"), [("sigmoid", "beta_logit"), ("exp", "beta_log_rate")])
@pytest.mark.parametrize("beta", [0.9, torch.tensor([0.5, 0.9, 0.99])])
def test_forms_start_at_beta_and_stay_inside(form, name, beta):
    node = neuron.Leaky(beta, learn_beta=form)
    assert [key for key, _ in node.named_parameters()] == [name]
    assert torch.allclose(node.beta, torch.as_tensor(beta), rtol=1e-6)
    parameter = node.get_parameter(name)
    node.beta.sum().backward()
    b = torch.as_tensor(beta)
    slope = b * (1 - b) if form == "sigmoid" else b * b.log()
    assert torch.allclose(parameter.grad, slope, rtol=1e-5)
    with torch.no_grad():
        parameter += 3.0
        assert ((node.beta > 0) & (node.beta < 1)).all()
        parameter -= 6.0
        assert ((node.beta > 0) & (node.beta < 1)).all()


def test_the_exp_form_is_a_time_constant():
    node = neuron.Leaky(torch.tensor(-1 / 5.0).exp(), learn_beta="exp")
    assert (-node.beta_log_rate).exp().item() == pytest.approx(5.0, rel=1e-5)


def test_a_parameter_given_is_used_itself():
    beta = torch.nn.Parameter(torch.tensor([0.5, 0.6]))
    node = neuron.Leaky(beta)
    assert node.beta is beta
    assert neuron.Leaky(beta, learn_beta=True).beta is beta
    assert list(node.parameters()) == [beta]
