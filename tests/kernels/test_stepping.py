"""Single steps by a kernel: after a few by the lines, and the same."""

import copy

import pytest
import torch
from cases import sequence
from spikeframe.kernels import stepping
from torch import nn

from spikeframe import functional, kernels, memory, neuron, surrogate

pytestmark = pytest.mark.skipif(
    kernels.why_not(neuron.IFNode(), "cpp") is not None, reason="needs a C++ compiler"
)


def runs_by_kernel(node, x):
    """Whether the next step is one operation in the graph."""
    history = node(x.requires_grad_()).grad_fn
    while history is not None and "Backward" in type(history).__name__:
        if any(name in type(history).__name__ for name in ("_Fused", "_Written", "_Different")):
            return True
        history = next((earlier for earlier, _ in history.next_functions if earlier), None)
    return False


@pytest.mark.parametrize("size", [(), (5,), (3, 7), (2, 3, 4, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_a_long_walk_equals_the_lines(size, dtype):
    node, twin = (neuron.LIFNode(tau=3.0, backend=b) for b in ("auto", "eager"))
    x_seq = sequence(size, 50).to(dtype)
    with torch.no_grad():
        found = torch.stack([node(x) for x in x_seq])
        expected = torch.stack([twin(x) for x in x_seq])
    assert torch.equal(found, expected)
    assert torch.equal(node.v, twin.v)
    assert runs_by_kernel(node, x_seq[0].clone())


def test_gradients_through_time_cross_from_lines_to_kernels():
    node, twin = (neuron.ParametricLIFNode(init_tau=3.0, backend=b) for b in ("auto", "eager"))
    results = []
    for one in (node, twin):
        x_seq = sequence((4, 3), 2 * stepping.PATIENCE).requires_grad_()
        spikes = torch.stack([one(x) for x in x_seq.unbind(0)])
        (spikes * torch.linspace(-1, 1, spikes.numel()).view_as(spikes)).sum().backward()
        results.append((spikes, x_seq.grad, one.w.grad))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_few_steps_are_the_lines():
    node = neuron.LIFNode()
    x = sequence((3,), 1)[0]
    assert not any(runs_by_kernel(node, x.clone()) for _ in range(stepping.PATIENCE - 1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: neuron.LIFNode(backend="eager"),
        lambda: neuron.LIFNode(store_v_seq=True),
        lambda: neuron.LIFNode(surrogate_function=Untraceable()),
    ],
)
def test_what_no_kernel_takes_stays_the_lines(make):
    node, x = make(), sequence((3,), 1)[0]
    for _ in range(4 * stepping.PATIENCE):
        node(x)
    assert not runs_by_kernel(node, x.clone())


class Untraceable(surrogate.Surrogate):
    """Decides by a value."""

    def derivative(self, u):
        return u.abs() if u.sum() > 0 else torch.ones_like(u)


def test_another_size_dtype_or_setting_goes_on():
    node, twin = (neuron.LIFNode(backend=b) for b in ("auto", "eager"))
    with torch.no_grad():
        for round_ in range(3):
            for size, dtype in (((3,), torch.float32), ((2, 5), torch.float64)):
                functional.reset_net(node)
                functional.reset_net(twin)
                for x in sequence(size, 40, seed=round_).to(dtype):
                    assert torch.equal(node(x), twin(x))
            node.v_reset = twin.v_reset = None if round_ == 0 else 0.1


def test_without_a_compiler_steps_are_the_lines(monkeypatch):
    for name in ("triton", "cupy", "cpp"):
        row = kernels.BACKENDS[name]
        lame = kernels.Backend(name, row.run, lambda *asked: "it is out of order", row.engine)
        monkeypatch.setitem(kernels.BACKENDS, name, lame)
    node, x = neuron.LIFNode(), sequence((3,), 1)[0]
    for _ in range(4 * stepping.PATIENCE):
        node(x)
    assert not runs_by_kernel(node, x.clone())


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_torch_compile_sees_the_lines():
    node, x = neuron.LIFNode(), sequence((3,), 1)[0]
    step = torch.compile(node, backend="eager", fullgraph=True)
    twin = neuron.LIFNode(backend="eager")
    with torch.no_grad():
        for _ in range(2 * stepping.PATIENCE):
            assert torch.equal(step(x), twin(x))


class Loop(nn.Module):
    """Goes through time by itself."""

    def __init__(self):
        super().__init__()
        self.layer, self.node = nn.Linear(3, 3), neuron.LIFNode(tau=3.0)

    def forward(self, x_seq):
        return torch.stack([self.node(self.layer(x)) for x in x_seq])


def test_a_recomputation_saves_what_the_forward_saved():
    """Which a checkpoint counts, whenever the kernel takes over."""
    net, x_seq = Loop(), sequence((4, 3), stepping.PATIENCE - 4).requires_grad_()
    twin = copy.deepcopy(net)
    twin.node.backend = "eager"
    for _ in range(4):
        results = []
        for one, run in ((net, lambda x: memory.checkpoint(net, x)), (twin, twin)):
            functional.reset_net(one)
            grads = torch.autograd.grad(run(x_seq).sum(), [x_seq, *one.parameters()])
            results.append(grads)
        torch.testing.assert_close(*results)
    functional.reset_net(net)
    with torch.no_grad():
        net(x_seq)
        net(x_seq)
    functional.detach_net(net)
    assert runs_by_kernel(net.node, x_seq[0].detach().clone())
