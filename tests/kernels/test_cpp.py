"""C++ kernels give what the node's own lines give: spikes bit by bit, gradients closely.

Programs coincide wherever a test may choose (numbers are arguments, not code), since each one
that is new costs a run of the compiler.
"""

import os
import subprocess
import sys

import pytest
import torch
from cases import DTYPES, NEURONS, TOLERANCE, sequence
from reference import relative_error
from spikeframe.kernels import build, cpp
from spikeframe.kernels.layout import Layout
from torch import nn

from spikeframe import kernels, neuron, surrogate

pytestmark = pytest.mark.skipif(
    kernels.why_not(neuron.IFNode(), "cpp") is not None, reason="no C++ compiler"
)

# v_reset, detach_reset: one number for v_reset, for the number is no part of the program.
PROGRAMS = ((0.0, False), (-0.3, True), (None, False), (None, True))
SIZES = (1, 63, 1000, 1025, 4097)
GUARD = 37
POISON = 0xA5


@pytest.fixture(autouse=True)
def _guarded(monkeypatch):
    """Every tensor for a kernel starts as nan and lies between nan, which must stay."""
    made = []

    def allocate(shape, strides, dtype, device):
        length = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        length = 0 if 0 in shape else length
        poison = torch.nan if dtype.is_floating_point else POISON
        buffer = torch.full((length + 2 * GUARD,), poison, dtype=dtype, device=device)
        made.append((buffer, length))
        return buffer.as_strided(shape, strides, GUARD)

    def sequence(self, dtype=None, steps=None):
        shape = (self.steps if steps is None else steps, *self.shape)
        return allocate(shape, (self.size, *self.strides), dtype or self.dtype, self.device)

    def step(self):
        return allocate(self.shape, self.strides, self.precision, self.device)

    monkeypatch.setattr(Layout, "sequence", sequence)
    monkeypatch.setattr(Layout, "step", step)
    yield
    assert made, "no kernel ran"
    for buffer, length in made:
        around = torch.cat((buffer[:GUARD], buffer[GUARD + length :]))
        assert (around.isnan() | (around == POISON)).all()


@pytest.fixture(params=["cached", "past the caches"])
def stores(request, monkeypatch):
    """Both ways to write, whatever the size."""
    monkeypatch.setattr(cpp, "MOST_CACHED", 0 if request.param != "cached" else 2**40)


def _weights(value):
    return torch.linspace(-1, 1, value.numel(), dtype=torch.float64).reshape(value.shape).to(value)


def _spikes_and_state(node, spikes):
    return (spikes * _weights(spikes)).sum() + (node.v * _weights(node.v)).sum()


def _results(node, x_seq, loss, v=None):
    """Spikes, last state, and the gradients of input, parameters and first state."""
    x_seq = x_seq.detach().requires_grad_()
    wanted = [x_seq, *node.parameters()]
    if v is not None:
        v = v.clone().requires_grad_()
        node.v = v
        wanted.append(v)
    spikes = node(x_seq)
    grads = torch.autograd.grad(loss(node, spikes), wanted)
    return spikes.detach(), node.v.detach(), grads


def _compare(make, x_seq, loss=_spikes_and_state, v=None):
    """``make(backend)`` gives a node; x_seq keeps its strides."""
    expected = _results(make("eager"), x_seq, loss, v)
    found = _results(make("cpp"), x_seq, loss, v)
    assert found[0].dtype == x_seq.dtype
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1].nan_to_num(), expected[1].nan_to_num())
    assert torch.equal(found[1].isnan(), expected[1].isnan())
    for grad, right in zip(found[2], expected[2], strict=True):
        assert grad.dtype == right.dtype
        assert grad.shape == right.shape
        assert torch.equal(grad.isnan(), right.isnan())
        error = relative_error(grad.nan_to_num(), right.nan_to_num())
        assert error <= TOLERANCE[x_seq.dtype]


def _lif(**options):
    return lambda backend: neuron.LIFNode(
        **({"tau": 2.7, "step_mode": "m", "backend": backend} | options)
    )


@pytest.mark.parametrize("case", NEURONS, ids=str)
@pytest.mark.parametrize(("v_reset", "detach_reset"), PROGRAMS)
def test_every_neuron_and_reset(case, v_reset, detach_reset):
    def make(backend):
        return case(v_reset=v_reset, detach_reset=detach_reset, step_mode="m", backend=backend)

    _compare(make, sequence((3, 67), T=9))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("T", [1, 2, 33])
@pytest.mark.parametrize("size", SIZES)
def test_every_dtype_at_odd_sizes(dtype, T, size, stores):
    _compare(_lif(), sequence((size,), T=T, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [0, 1025])
def test_without_a_gradient(dtype, size, stores):
    x_seq = sequence((size,), T=5, dtype=dtype)
    with torch.no_grad():
        expected, found = _lif()("eager"), _lif()("cpp")
        assert torch.equal(found(x_seq), expected(x_seq))
    assert torch.equal(found.v, expected.v)


@pytest.mark.parametrize("T", [1, 33])
def test_an_empty_batch(T):
    _compare(_lif(), sequence((0, 3), T=T))


LAYOUTS = {
    "every other": lambda x: torch.stack((x, x + 1), -1)[..., 0],
    "steps apart": lambda x: torch.stack((x, x + 1), 1)[:, 0],
    "backwards": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "channels last": lambda x: (
        x.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, x.shape[:2])
    ),
    "transposed": lambda x: x.mT.contiguous().mT,
    "expanded in time": lambda x: x[:1].expand_as(x),
    "expanded in the batch": lambda x: x[:, :1].expand_as(x),
    "expanded": lambda x: x[:1, :1, :1, :1, :1].expand_as(x),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_and_upstream_gradients_in_any_layout(layout):
    x_seq = sequence((5, 3, 7, 11), T=6)
    view = LAYOUTS[layout](x_seq)
    _compare(_lif(), view)

    def loss(node, spikes):
        return spikes.contiguous().sub(LAYOUTS[layout](_weights(spikes))).square().sum()

    _compare(_lif(), x_seq, loss)
    _compare(_lif(), view, lambda node, spikes: (spikes * LAYOUTS[layout](x_seq)).sum())


def test_outputs_that_nobody_uses():
    x_seq = sequence((7, 9))
    _compare(_lif(), x_seq, lambda node, spikes: spikes.sum())
    _compare(_lif(), x_seq, lambda node, spikes: node.v.sum())
    _compare(_lif(), x_seq, lambda node, spikes: spikes[-1].sum())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_first_state_and_its_gradient(dtype):
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    v = sequence((6, 11), T=1, seed=1, dtype=precision)[0]
    _compare(_lif(), sequence((6, 11), dtype=dtype), v=v)
    _compare(_lif(), sequence((6, 11), dtype=dtype), v=v.T.contiguous().T)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("order", ["contiguous", "channels last"])
def test_several_parameters_with_gradients(dtype, order):
    """Per channel, per neuron, and scalar, in one program for all shapes."""
    x_seq = sequence((5, 3, 7, 67), T=6, dtype=dtype)
    if order == "channels last":
        x_seq = LAYOUTS[order](x_seq)
    shapes = ((3, 1, 1), (3, 7, 67), (1, 7, 1), (5, 3, 7, 67), (67,))
    for tau, threshold in zip(shapes, shapes[1:] + shapes[:1], strict=True):
        torch.manual_seed(0)
        values = (2 + torch.rand(tau), 1 + 0.1 * torch.rand(threshold), torch.tensor(-0.1))

        def make(backend, values=values):
            tau, v_threshold, v_reset = (nn.Parameter(v.clone()) for v in values)
            return _lif(tau=tau, v_threshold=v_threshold, v_reset=v_reset)(backend)

        _compare(make, x_seq)


def test_a_parameter_of_a_block_spans_the_blocks():
    """Channels of a length that no block is a multiple of, with more than one block."""
    tau = 2 + torch.rand(5, 1, generator=torch.Generator().manual_seed(0))
    _compare(_lif(tau=tau), sequence((2, 5, 333), T=3))
    _compare(_lif(tau=tau), sequence((2, 5, 333), T=40))


@pytest.mark.parametrize("v_threshold", [1e9, float("inf"), -1.0])
@pytest.mark.parametrize("v_reset", [0.0, None])
def test_extreme_thresholds(v_threshold, v_reset):
    _compare(_lif(v_threshold=v_threshold, v_reset=v_reset), sequence((65,)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_inputs_that_are_not_finite(dtype):
    x_seq = sequence((129,), dtype=dtype)
    x_seq[2, ::3], x_seq[3, 1::3], x_seq[1, ::5] = torch.inf, -torch.inf, torch.nan
    x_seq[4, ::7], x_seq[5, ::11] = 1e-45, -0.0
    with torch.no_grad():
        expected, found = _lif()("eager"), _lif()("cpp")
        assert torch.equal(found(x_seq), expected(x_seq))
    assert torch.equal(found.v.nan_to_num(7.0), expected.v.nan_to_num(7.0))
    _compare(_lif(), x_seq, lambda node, spikes: spikes.sum())


def test_a_stored_sequence_and_its_gradient():
    def loss(node, spikes):
        return spikes.sum() + (node.v_seq * _weights(node.v_seq)).sum()

    x_seq = sequence((6, 11))
    _compare(_lif(store_v_seq=True), x_seq, loss)
    nodes = [_lif(store_v_seq=True)(name) for name in ("eager", "cpp")]
    for node in nodes:
        node(x_seq)
    assert torch.equal(nodes[0].v_seq, nodes[1].v_seq)
    _compare(
        _lif(store_v_seq=True),
        x_seq,
        lambda node, spikes: node.v_seq[1:3].sum(),
    )


def test_two_calls_carry_the_state():
    x_seq = sequence((4, 33), T=10)

    def in_two(node, spikes):
        return spikes.sum() + (node(x_seq[:3]) * _weights(x_seq[:3])).sum() + node.v.sum()

    _compare(_lif(), x_seq, in_two)


def test_decimals_that_land_on_the_threshold():
    """0.1 steps to a threshold of 0.3: each operation rounds as the lines' does."""
    x_seq = torch.full((40, 1025), 0.1)
    x_seq[:, ::2] = 0.3
    for v_threshold in (0.3, 0.7, 1.1):
        make = _lif(tau=3.3, v_threshold=v_threshold, v_reset=None)
        _compare(make, x_seq)


def test_threads_give_what_one_gives(monkeypatch):
    x_seq = sequence((3, 1000), T=5)
    monkeypatch.setattr(cpp, "SMALLEST_SHARE", 1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        _compare(_lif(), x_seq)
    finally:
        torch.set_num_threads(before)


class Exponential(neuron.BaseNode):
    """A neuron with exp in its charge."""

    def neuronal_charge(self, x):
        self.v = self.v + 0.3 * (torch.exp(self.v - 1.0) - self.v + x)


def test_exp_is_close_and_vectorised_functions_are_whole(monkeypatch):
    x_seq = sequence((1025,), T=7, dtype=torch.float64)
    spikes = {}
    for backend, dtype in (("eager", torch.float64), ("cpp", torch.float32)):
        node = Exponential(step_mode="m", backend=backend)
        with torch.no_grad():
            spikes[backend] = node(x_seq.to(dtype)).double()
            spikes[backend, "v"] = node.v.double()
    same = (spikes["eager"] == spikes["cpp"]).all(0)
    assert same.float().mean() > 0.99
    assert relative_error(spikes["cpp", "v"][same], spikes["eager", "v"][same]) < 1e-5


def test_a_kernel_uses_the_openmp_of_torch():
    _compare(_lif(), sequence((3,)))
    with open("/proc/self/maps") as file:
        found = {line.split()[-1] for line in file if "libgomp" in line}
    found = {path for path in found if "scikit_learn" not in path}  # brings its own, beside
    assert len(found) == 1


FORKED = """
import torch
from spikeframe import neuron
torch.set_num_threads(2)
# Long in time: torch itself, which would hang too, stays at one thread for a step.
x_seq = torch.rand(256, 1024)
node = neuron.LIFNode(step_mode="m", backend="cpp")
node(x_seq)
loader = torch.utils.data.DataLoader(
    [0, 1], num_workers=1, multiprocessing_context="fork",
    collate_fn=lambda i: neuron.LIFNode(step_mode="m", backend="cpp")(x_seq).sum(),
)
assert all(total == loader.collate_fn(0) for total in loader)
"""


def test_forked_workers_do_not_hang():
    """A parent that has used threads forks workers: they must not wait for them."""
    _compare(_lif(), sequence((3,)))
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60, env=environment)


def test_a_failed_build_is_a_reason_and_auto_goes_on(monkeypatch):
    """Of one program, with a compiler that works otherwise; asked once, not at every call."""
    asked = []

    def fail(source):
        if source == cpp.PROBE:
            return None
        asked.append(source)
        raise build.BuildError("g++ failed with code 1: no luck")

    monkeypatch.setattr(cpp, "load", fail)
    node = neuron.LIFNode(
        tau=2.7, step_mode="m", backend="auto", surrogate_function=surrogate.Rect()
    )
    x_seq = sequence((5,)).requires_grad_()
    node(x_seq).sum().backward()
    node(x_seq)
    assert len(asked) == 1
    call = kernels.Call(node, [x_seq])
    assert kernels.choose(node, "auto", "cpu", call).name == "torch"
    assert "no luck" in kernels.why_not(node, "cpp", "cpu", call)
    node.backend = "cpp"
    with pytest.raises(RuntimeError, match="'cpp' cannot run LIFNode on cpu: .*no luck. Use"):
        node(x_seq)


def test_a_machine_without_a_compiler_says_so(monkeypatch):
    _compare(_lif(), sequence((3,)))
    monkeypatch.setenv("CXX", "no-such-compiler")
    cpp.why_not_here.cache_clear()
    try:
        node = neuron.LIFNode(step_mode="m")
        assert "no C++ compiler" in kernels.why_not(node, "cpp")
        assert "auto: runs 'torch'" in kernels.explain(node)
        node(sequence((3,)))
    finally:
        cpp.why_not_here.cache_clear()
