"""Single steps as functions: each is the node of its name."""

import inspect

import pytest
import torch

from spikeframe import functional, neuron, surrogate

pytestmark = pytest.mark.usefixtures("uncompiled")

X = torch.rand(20, 6, generator=torch.Generator().manual_seed(0)) * 2.4 - 0.3

STEPS = {
    "if_step": (neuron.IFNode, {"v_reset": None}),
    "lif_step": (neuron.LIFNode, {"tau": 2.7, "decay_input": False}),
    "qif_step": (neuron.QIFNode, {"tau": 1.7}),
    "eif_step": (neuron.EIFNode, {"delta_T": 0.7}),
    "ilif_step": (neuron.ILIFNode, {"tau": 1.7}),
    "klif_step": (neuron.KLIFNode, {"k": 1.3}),
    "ternary_if_step": (neuron.TernaryIFNode, {"v_threshold": 0.8}),
    "ternary_lif_step": (neuron.TernaryLIFNode, {"tau": 1.7}),
    "cuba_step": (neuron.CUBALIFNode, {"c_decay": 0.3}),
    "izhikevich_step": (neuron.IzhikevichNode, {"a": 0.2, "b": 0.1}),
    "adex_step": (neuron.AdExNode, {"a": 0.2}),
    "alif_step": (neuron.ALIFNode, {"beta": 0.5}),
    "clif_step": (neuron.ComplementaryLIFNode, {"tau": 1.7}),
    "raf_step": (neuron.RAFNode, {"omega": 0.7}),
    "leaky_step": (neuron.Leaky, {"beta": 0.7, "reset_mechanism": "zero"}),
    "lapicque_step": (neuron.Lapicque, {"R": 2.0, "C": 0.7}),
    "synaptic_step": (neuron.Synaptic, {"alpha": 0.3, "beta": 0.6}),
    "alpha_step": (neuron.Alpha, {"alpha": 0.9, "beta": 0.6}),
}


def test_every_function_is_here():
    assert {name for name in neuron.__all__ if name.endswith("_step")} == STEPS.keys()


@pytest.mark.parametrize("name", STEPS)
def test_a_function_is_a_step_of_its_node(name):
    kind, arguments = STEPS[name]
    function, node = getattr(neuron, name), kind(**arguments)
    states = [
        n for n in inspect.signature(function).parameters if n in dict(node.named_memories())
    ]
    values = {n: torch.full_like(X[0], node.get_reset_value(n)) for n in states}
    for x in X:
        spike, *after = function(x, **values, **arguments)
        values = dict(zip(states, after, strict=True))
        assert torch.equal(spike, node(x))
        for state in states:
            assert torch.equal(values[state], getattr(node, state))


def test_what_is_passed_is_left_alone_and_differentiable():
    v = torch.full((6,), 0.4, requires_grad=True)
    tau = torch.tensor(2.5, requires_grad=True)
    _, after = neuron.lif_step(X[0], v, tau=tau)
    after.sum().backward()
    assert torch.equal(v.detach(), torch.full((6,), 0.4))
    assert v.grad.any()
    assert tau.grad != 0


def test_fired_before_the_input_as_the_tutorial_writes_it():
    """0.4 times 0.5 from step 10 on, a decay of 0.819: 14 spikes in 200 steps."""
    beta = 0.819
    v = old = torch.zeros(1)
    spikes, highest = 0.0, 0.0
    strict = surrogate.ATan(strict=True)
    for t in range(200):
        x = torch.tensor([0.2 if t >= 10 else 0.0])
        arguments = {"tau": 1 / (1 - beta), "decay_input": False, "v_reset": None}
        s, v = neuron.lif_step(x, v, fire_on="pre", surrogate_function=strict, **arguments)
        same, old = functional.lif_step(x, old, beta, fire_on="pre")
        assert torch.equal(s, same)
        spikes, highest = spikes + s.item(), max(highest, v.item())
    assert spikes == 14
    assert highest == pytest.approx(1.0066, abs=1e-3)


def test_pre_and_post_are_a_step_apart():
    pre = post = torch.zeros(6)
    before = []
    for x in X:
        s, pre = neuron.if_step(x, pre, v_reset=None, fire_on="pre")
        before.append(s)
        t, post = neuron.if_step(x, post, v_reset=None)
        assert torch.allclose(pre, post + t)
    assert sum(s.sum() for s in before) > 0
    with pytest.raises(ValueError, match="fire_on must be 'pre' or 'post', got 'now'"):
        neuron.lif_step(X[0], pre, fire_on="now")


def test_an_input_that_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match="LIFNode takes a tensor, got float"):
        neuron.lif_step(1.0, torch.zeros(1))
