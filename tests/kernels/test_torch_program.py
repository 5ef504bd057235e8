"""The engine by torch operations: the eager bits forward, the eager gradients backward."""

import pytest
import torch
from cases import NEURONS, RESETS, TOLERANCE, sequence
from reference import relative_error
from spikeframe.kernels import torch_program
from spikeframe.kernels.cache import traced
from torch import nn

from spikeframe import neuron, surrogate

# Some steps of some neurons at a time: one tile, several with odd ends, one value per tile.
TILES = ((131072, 32768), (640, 64), (1, 1))


def results(make, x_seq, backend, **options):
    """Values and gradients of two calls, the second from the state of the first."""
    node = make(backend=backend, step_mode="m", **options).to(x_seq.dtype)
    x_seq = x_seq.detach().requires_grad_()
    first, last = node(x_seq), node(x_seq)
    weights = sequence(tuple(x_seq.shape[1:]), T=x_seq.shape[0], seed=1, dtype=x_seq.dtype)
    ((first + 2 * last) * weights).sum().add((node.v * weights[0]).sum()).backward()
    grads = [x_seq.grad, *(p.grad for p in node.parameters())]
    kept = [node.v_seq.detach()] if node.store_v_seq else []
    return [first.detach(), last.detach(), node.v.detach(), *kept], grads


def compare(make, x_seq, **options):
    for store_v_seq in (False, True):
        _compare(make, x_seq, store_v_seq=store_v_seq, **options)


def _compare(make, x_seq, **options):
    values, grads = results(make, x_seq, "torch", **options)
    expected, expected_grads = results(make, x_seq, "eager", **options)
    for value, eager in zip(values, expected, strict=True):
        assert value.dtype == eager.dtype
        assert torch.equal(value, eager)
    for value, eager in zip(grads, expected_grads, strict=True):
        assert relative_error(value, eager.double()) < TOLERANCE[x_seq.dtype]


@pytest.mark.parametrize("tile", TILES, ids=str)
@pytest.mark.parametrize(("v_reset", "detach_reset"), RESETS)
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_every_tiling_gives_the_eager_results(case, v_reset, detach_reset, tile, monkeypatch):
    monkeypatch.setattr(torch_program, "TILE", tile[0])
    monkeypatch.setattr(torch_program, "WIDTH", tile[1])
    size = (3, 67) if tile[0] > 1 else (3,)
    for dtype in (torch.float32, torch.float64):
        compare(case, sequence(size, dtype=dtype), v_reset=v_reset, detach_reset=detach_reset)


class Change(neuron.BaseNode):
    """Remembers what does not depend on what it remembered."""

    def __init__(self, **options):
        super().__init__(**options)
        self.gain = nn.Parameter(torch.tensor([0.5, 0.6, 0.7]))
        self.register_memory("last", 0.0)
        self.register_memory("level", 0.0)

    def neuronal_charge(self, x):
        self.v = 0.9 * self.v + (x - self.last).abs() * self.level
        self.last = torch.relu(x)
        self.level = torch.full_like(x, 0.5) * self.gain


@pytest.mark.parametrize("tile", TILES, ids=str)
def test_states_that_forget_themselves(tile, monkeypatch):
    monkeypatch.setattr(torch_program, "TILE", tile[0])
    monkeypatch.setattr(torch_program, "WIDTH", tile[1])
    compare(Change, 2.0 * sequence((67, 3) if tile[0] > 1 else (2, 3)))


@pytest.mark.parametrize("tile", [*TILES, (64, 64)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_half_precision_is_that_of_eager(case, dtype, tile, monkeypatch):
    monkeypatch.setattr(torch_program, "TILE", tile[0])
    monkeypatch.setattr(torch_program, "WIDTH", tile[1])
    compare(case, sequence((2, 5), dtype=dtype), surrogate_function=surrogate.ATan())


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 3e38, -0.0])
@pytest.mark.parametrize("v_threshold", [1.0, float("inf")])
@pytest.mark.parametrize("v_reset", [0.0, -0.3, None])
def test_values_beyond_numbers_go_on_as_in_eager(v_reset, v_threshold, value):
    x_seq = sequence((4,))
    x_seq[2, 1] = value
    outputs = []
    for backend in ("torch", "eager"):
        node = neuron.LIFNode(
            v_threshold=v_threshold,
            v_reset=v_reset,
            step_mode="m",
            backend=backend,
            store_v_seq=True,
        )
        outputs.append([node(x_seq), node.v_seq])
    for found, expected in zip(*outputs, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


class Delayed(neuron.BaseNode):
    """Two states of which one only takes the other's old value: a line of memory, no sum."""

    def __init__(self, **options):
        super().__init__(**options)
        self.register_memory("before", 0.0)

    def neuronal_charge(self, x):
        old = self.v
        self.v = 0.75 * self.v + x - 0.25 * self.before
        self.before = old


class Exponential(neuron.BaseNode):
    """Exponentials whose last bit depends on where in memory they are computed."""

    def neuronal_charge(self, x):
        self.v = self.v + 0.25 * (torch.exp(x) - 1.0 - self.v + 0.5 * torch.exp(self.v - 1.0))


class Dividing(neuron.BaseNode):
    """A charge that tells 0 from -0, which a reset from below 0 would leave."""

    def __init__(self, **options):
        super().__init__(v_threshold=-0.5, **options)

    def neuronal_charge(self, x):
        self.v = x - 1.0 + (0.125 / self.v).clamp(-0.5, 0.5)


@pytest.mark.parametrize("tile", [*TILES, (64, 64), (192, 64), (201, 67)], ids=str)
@pytest.mark.parametrize("node", [Delayed, Exponential])
@pytest.mark.parametrize("v_reset", [0.0, None])
def test_neurons_of_other_shapes(node, v_reset, tile, monkeypatch):
    monkeypatch.setattr(torch_program, "TILE", tile[0])
    monkeypatch.setattr(torch_program, "WIDTH", tile[1])
    size = (3, 67) if tile[0] > 1 else (3,)
    compare(node, sequence(size), v_reset=v_reset, surrogate_function=surrogate.ATan())


def test_the_sign_of_a_zero_is_kept_where_it_matters():
    x_seq = sequence((3, 67))
    nodes = [Dividing(step_mode="m", backend=b, store_v_seq=True) for b in ("torch", "eager")]
    assert torch.equal(*(node(x_seq) for node in nodes))
    assert torch.equal(*(node.v_seq for node in nodes))
    assert (nodes[0].v_seq == 0.0).any()


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 1), (3, 5)])
def test_parameters_of_any_shape_get_their_gradient(shape):
    threshold = torch.linspace(0.8, 1.2, max(1, torch.Size(shape).numel())).reshape(shape)

    def make(**options):
        parameter = torch.nn.Parameter(threshold.clone())
        return neuron.LIFNode(v_threshold=parameter, **options)

    compare(make, sequence((3, 5)))


def test_the_step_is_as_short_as_by_hand():
    """Charge, division, comparison, complement, product; a product and a sum per state back."""
    node = neuron.LIFNode(surrogate_function=surrogate.ATan())
    known = traced(node)
    kinds = tuple(
        torch_program.kind_of(uniform.evaluate(node)) for uniform, _ in known.trace.parameters
    )
    forward = torch_program.forward_plan(known.program((), None), kinds)
    assert [line.op for line in forward.step] == ["sub", "addcdiv", "float_ge", "sub", "mul"]
    backward = torch_program.backward_plan(known.program((), ()), kinds, frozenset())
    assert [line.op for line in backward.step] == ["addcmul", "mul"]
    assert len(backward.before) == 7
    assert len(backward.after) == 1


def test_the_complement_of_a_comparison_is_not_the_opposite_comparison():
    """At nan both are false, so 1 - (u > 0) is 1 where u <= 0 would give 0."""

    class Below(surrogate.Surrogate):
        def derivative(self, u):
            return 1.0 - (u > 0).to(u.dtype)

    grads = []
    for backend in ("eager", "torch"):
        node = neuron.IFNode(
            surrogate_function=Below(), detach_reset=True, step_mode="m", backend=backend
        )
        x_seq = torch.tensor([[float("nan"), 0.5, 2.0]], requires_grad=True)
        node(x_seq).sum().backward()
        grads.append(x_seq.grad.tolist())
    assert grads == [[[1.0, 1.0, 0.0]]] * 2


class Forgetful(neuron.IFNode):
    """No gradient passes from step to step, so what is carried back is read all at once only."""

    def neuronal_charge(self, x):
        self.v = self.v.detach()
        super().neuronal_charge(x)


@pytest.mark.parametrize("tile", TILES, ids=str)
def test_a_state_without_a_history(tile, monkeypatch):
    monkeypatch.setattr(torch_program, "TILE", tile[0])
    monkeypatch.setattr(torch_program, "WIDTH", tile[1])
    compare(Forgetful, sequence((5, 13)))
