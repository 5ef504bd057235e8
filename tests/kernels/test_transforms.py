"""Nodes inside of torch.func's transforms: the same results as by their own lines."""

import pytest
import torch
from cases import sequence
from foreign_neurons import Refractory
from spikeframe.kernels.transforms import differentiated_levels, is_transformed, why_not
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacrev, jvp, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from spikeframe import base, functional, layer, neuron, surrogate

SIZES = (5, 4)
BATCH = torch.stack([sequence((3, 6), seed=i) for i in range(4)])


def make_model(backend, seed=0):
    """A net's output as a function of parameters and input, and its parameters."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        layer.Linear(6, 5),
        neuron.LIFNode(v_threshold=0.2, surrogate_function=surrogate.ATan(), v_reset=None),
        layer.Linear(5, 4),
        neuron.ParametricLIFNode(v_threshold=0.1, surrogate_function=surrogate.ATan()),
    )
    functional.set_step_mode(net, "m")
    functional.set_backend(net, backend)

    def model(parameters, x_seq):
        states = tuple(torch.zeros(x_seq.shape[1], size) for size in SIZES)
        run = base.to_functional_forward(net, lambda x: functional_call(net, parameters, (x,)))
        return run((x_seq,), states)[0][0]

    return model, {name: p.detach() for name, p in net.named_parameters()}


class Counting(TorchDispatchMode):
    """Counts calls of the registered operator."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += "spikeframe::multi_step" in str(function.name())
        return function(*args, **(kwargs or {}))


def of(model, parameters):
    return lambda x: model(parameters, x).square().sum()


def ensemble(parameters):
    return {name: torch.stack([p, 1.1 * p, p - 0.05]) for name, p in parameters.items()}


def through_vmap(model, parameters):
    leaves = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    output = vmap(lambda x: model(leaves, x))(BATCH)
    return torch.autograd.grad(output.square().sum(), list(leaves.values()))


def of_gradients(model, parameters):
    """A second derivative: by plain autograd of what a transform differentiated."""
    leaves = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    found = grad(lambda given: of(model, given)(BATCH[0]))(leaves)
    return torch.autograd.grad(
        sum(g.square().sum() for g in found.values()), list(leaves.values())
    )


FUSED = {
    "grad": lambda f, p: grad(lambda given: of(f, given)(BATCH[0]))(p),
    "vmap": lambda f, p: vmap(lambda x: f(p, x))(BATCH),
    "vmap over axis 2": lambda f, p: vmap(lambda x: f(p, x), 2, 2)(BATCH.movedim(0, 2)),
    "gradients per sample": lambda f, p: vmap(grad(lambda given, x: of(f, given)(x)), (None, 0))(
        p, BATCH
    ),
    "jacrev": lambda f, p: jacrev(lambda x: f(p, x)[-1, 0])(BATCH[0]),
    "ensemble": lambda f, p: vmap(lambda given: f(given, BATCH[0]))(ensemble(p)),
    "gradients of an ensemble": lambda f, p: vmap(
        grad(lambda given, x: of(f, given)(x)), (0, None)
    )(ensemble(p), BATCH[0]),
    "backward through vmap": through_vmap,
}
LINES = {
    "jvp": lambda f, p: jvp(lambda x: f(p, x), (BATCH[0],), (BATCH[1],)),
    "hessian": lambda f, p: hessian(of(f, p))(BATCH[0][:3, :1]),
    "grad of grad": lambda f, p: grad(lambda x: grad(of(f, p))(x).square().sum())(BATCH[0]),
    "autograd of grad": of_gradients,
}


def leaves(found):
    if isinstance(found, torch.Tensor):
        return [found]
    return list(found.values()) if isinstance(found, dict) else list(found)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", [*FUSED, *LINES])
def test_the_results_are_those_of_the_lines(name):
    transform = FUSED.get(name) or LINES[name]
    expected = transform(*make_model("eager"))
    found = transform(*make_model("auto"))
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        assert a.abs().sum() > 0
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        assert torch.equal(a, b) or name not in ("vmap", "ensemble")


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", [*FUSED, *LINES])
def test_what_is_differentiated_once_runs_as_the_operator(name):
    model, parameters = make_model("auto")
    transform = FUSED.get(name) or LINES[name]
    with Counting() as counting:
        transform(model, parameters)
    assert (counting.count >= 2) == (name in FUSED)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", LINES)
def test_a_named_backend_refuses_what_only_the_lines_can(name):
    message = "forward-mode|differentiates once"
    with pytest.raises(RuntimeError, match=f"backend 'torch' cannot run .*({message}).*'eager'"):
        LINES[name](*make_model("torch"))


def test_a_node_met_in_a_transform_first_is_not_spoiled_for_others():
    class Fresh(Refractory):
        """A class that nobody has traced."""

    node = Fresh(step_mode="m", backend="torch").requires_grad_(False)
    run = base.to_functional_forward(node)
    x_seq = sequence((2, 4, 3))
    states = tuple(torch.zeros(2, 4, 3) for _ in range(3))

    def loss(x):
        return run((x,), states)[0][0].sum()

    found = grad(loss)(x_seq)
    leaf = x_seq.clone().requires_grad_()
    (expected,) = torch.autograd.grad(node(leaf).sum(), leaf)
    assert torch.equal(found, expected)


def test_levels():
    x, w = torch.randn(3), torch.randn(3, requires_grad=True)
    seen = []

    def look(x, w):
        seen.append([sorted(differentiated_levels(t)) for t in (x, w)])
        return (x * w).sum()

    look(x, w)
    grad(look)(x, w)
    vmap(grad(look))(torch.stack([x, x]), torch.stack([x, x]))
    grad(lambda x, w: vmap(look, (None, 0))(x, torch.stack([w, w])).sum())(x, x)
    assert seen == [[[], [0]], [[1], [0]], [[2], []], [[1], []]]
    assert not is_transformed()
    assert why_not([x, w]) is None
    with forward_ad.dual_level():
        assert "forward-mode" in why_not([x])
