"""Triton kernels, interpreted, give what the node's own lines give: spikes bit by bit.

The interpreter takes some milliseconds per program and step, so sizes and times are small.
"""

import contextlib
import sys

import numpy as np
import pytest
import torch
from cases import DTYPES, NEURONS, TOLERANCE, sequence
from foreign_neurons import FOREIGN
from reference import relative_error
from spikeframe.kernels import fused
from spikeframe.kernels.layout import Layout
from torch import nn

from spikeframe import kernels, neuron, surrogate

# Earlier interpreters fail with numpy 2.4.
pytest.importorskip("triton", "3.9", reason="triton 3.9 is not installed")

from spikeframe.kernels import triton, triton_launch
from triton_on_cpu import interpret

# v_reset, detach_reset.
RESETS = ((0.0, False), (-0.3, True), (None, False), (None, True))
# Steps fetched ahead, most neurons of a program.
SHAPES = ((1, 65536), (4, 64))
POISON = 0xA5


@pytest.fixture(params=[64, 37], ids=["aligned", "anywhere"])
def guard(request):
    """Values before and after a buffer: its address is that of an access, or is not."""
    return request.param


@pytest.fixture(autouse=True)
def _guarded(monkeypatch, request):
    """Every tensor for a kernel starts as nan and lies between nan, which must stay."""
    made = []
    width = request.getfixturevalue("guard") if "guard" in request.fixturenames else 64

    def allocate(shape, strides, dtype, device):
        length = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        length = 0 if 0 in shape else length
        poison = torch.nan if dtype.is_floating_point else POISON
        buffer = torch.full((length + 2 * width,), poison, dtype=dtype, device=device)
        made.append((buffer, length))
        return buffer.as_strided(shape, strides, width)

    def sequence(self, dtype=None, steps=None):
        shape = (self.steps if steps is None else steps, *self.shape)
        return allocate(shape, (self.size, *self.strides), dtype or self.dtype, self.device)

    def step(self):
        return allocate(self.shape, self.strides, self.precision, self.device)

    monkeypatch.setattr(Layout, "sequence", sequence)
    monkeypatch.setattr(Layout, "step", step)
    use(monkeypatch)
    yield
    for buffer, length in made:
        around = torch.cat((buffer[:width], buffer[width + length :]))
        assert (around.isnan() | (around == torch.full_like(around, POISON))).all()


def use(monkeypatch, ahead=1, largest=65536):
    """Let the backend's name mean the interpreter, and note which kernels run."""
    runs = []

    def run(launch):
        runs.append(launch)
        with only_within(launch.arguments.values()):
            interpret(launch, ahead, largest)

    engine = triton.engine(run)
    row = kernels.Backend(
        "triton",
        lambda call: fused.run(engine, call),
        lambda node, device, call: fused.why_not(engine, node, device, call),
    )
    monkeypatch.setitem(kernels.BACKENDS, "triton", row)
    return runs


@contextlib.contextmanager
def only_within(arguments):
    """Let a kernel load and store within its arguments alone: elsewhere a device may fault."""
    from triton.runtime.interpreter import interpreter_builder as builder

    tensors = sorted((a for a in arguments if torch.is_tensor(a)), key=torch.Tensor.data_ptr)
    begin = np.array([t.data_ptr() for t in tensors], dtype=np.uint64)
    length = [
        1 + sum((n - 1) * s for n, s in zip(t.shape, t.stride(), strict=True)) for t in tensors
    ]
    bytes_ = [n * t.itemsize for n, t in zip(length, tensors, strict=True)]
    end = np.maximum.accumulate(begin + np.array(bytes_, dtype=np.uint64))
    load, store = builder.create_masked_load, builder.create_masked_store

    def check(pointers, mask):
        width = pointers.get_element_ty().primitive_bitwidth // 8
        address = pointers.data[np.broadcast_to(mask.data, pointers.data.shape)]
        at = np.searchsorted(begin, address, side="right") - 1
        assert (at >= 0).all(), "an access before all arguments"
        assert (address + np.uint64(width) <= end[at]).all(), "an access behind an argument"

    def checked_load(pointers, mask, *rest):
        check(pointers, mask)
        return load(pointers, mask, *rest)

    def checked_store(pointers, value, mask, *rest):
        check(pointers, mask)
        return store(pointers, value, mask, *rest)

    builder.create_masked_load, builder.create_masked_store = checked_load, checked_store
    try:
        yield
    finally:
        del builder.create_masked_load, builder.create_masked_store


def weights(value):
    return torch.linspace(-1, 1, value.numel(), dtype=torch.float64).reshape(value.shape).to(value)


def spikes_and_state(node, spikes):
    return (spikes * weights(spikes)).sum() + (node.v * weights(node.v)).sum()


def results(node, x_seqs, loss, v=None):
    """Spikes, last state, and the gradients of inputs, parameters and first state."""
    x_seqs = [x.detach().requires_grad_() for x in x_seqs]
    wanted = [*x_seqs, *node.parameters()]
    if v is not None:
        v = v.clone().requires_grad_()
        node.v = v
        wanted.append(v)
    spikes = node(*x_seqs)
    grads = torch.autograd.grad(loss(node, spikes), wanted)
    return spikes.detach(), node.v.detach(), grads


def compare(make, *x_seqs, loss=spikes_and_state, v=None, exact=True):
    """``make(backend)`` gives a node; inputs keep their strides.

    A node that is made of + - * / and sqrt has exactly the eager state.
    """
    expected = results(make("eager"), x_seqs, loss, v)
    found = results(make("triton"), x_seqs, loss, v)
    dtype = x_seqs[0].dtype
    assert found[0].dtype == dtype
    assert torch.equal(found[0], expected[0])
    if exact:
        assert torch.equal(found[1].nan_to_num(), expected[1].nan_to_num())
    pairs = zip((found[1], *found[2]), (expected[1], *expected[2]), strict=True)
    for value, right in pairs:
        assert value.dtype == right.dtype
        assert value.shape == right.shape
        assert torch.equal(value.isnan(), right.isnan())
        error = relative_error(value.nan_to_num(), right.nan_to_num())
        assert error <= TOLERANCE[dtype]


def lif(**options):
    return lambda backend: neuron.LIFNode(
        **({"tau": 2.7, "step_mode": "m", "backend": backend} | options)
    )


@pytest.mark.parametrize("case", NEURONS, ids=str)
@pytest.mark.parametrize(("v_reset", "detach_reset"), RESETS)
def test_every_neuron_and_reset(case, v_reset, detach_reset):
    def make(backend):
        return case(v_reset=v_reset, detach_reset=detach_reset, step_mode="m", backend=backend)

    compare(make, sequence((3, 67), T=9))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize(("name", "build", "n"), FOREIGN, ids=lambda row: str(row))
def test_every_neuron_of_a_user(name, build, n, dtype):
    x_seqs = [sequence((4, 5), T=9, seed=i, dtype=dtype) for i in range(n)]
    exact = name not in ("conductance", "two-inputs")
    compare(lambda backend: build(step_mode="m", backend=backend), *x_seqs, exact=exact)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("T", [1, 2, 33])
@pytest.mark.parametrize("size", [1, 63, 1000])
def test_every_dtype_at_odd_sizes(dtype, T, size):
    compare(lif(), sequence((size,), T=T, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("T", [2, 9])
def test_every_shape_of_program(dtype, shape, T, guard, monkeypatch):
    runs = use(monkeypatch, *shape)
    compare(lif(surrogate_function=surrogate.ATan()), sequence((200,), T=T, dtype=dtype))
    aligned = triton_launch.ACCESS // dtype.itemsize
    assert [run.unit for run in runs] == [aligned if guard == 64 else 1] * 2


def test_positions_beyond_32_bits_are_counted(monkeypatch):
    import triton.language as tl

    def constants(self, block):
        return {"UNIT": self.unit, "BLOCK": block, "INDEX": tl.int64}

    layout = Layout(torch.empty(1, 2**31 - 9, device="meta"))
    run = triton_launch.Launch(None, (), "forward", layout, {}, 1)
    assert run.constants(8)["INDEX"] == tl.int32
    assert run.constants(64)["INDEX"] == tl.int64
    monkeypatch.setattr(triton_launch.Launch, "constants", constants)
    use(monkeypatch, largest=64)
    tau = 2 + torch.rand(5, 1, generator=torch.Generator().manual_seed(0))
    compare(lif(tau=tau), sequence((5, 40), T=3))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [0, 100])
def test_without_a_gradient(dtype, size, monkeypatch):
    runs = use(monkeypatch)
    x_seq = sequence((size,), T=5, dtype=dtype)
    with torch.no_grad():
        expected, found = lif()("eager"), lif()("triton")
        assert torch.equal(found(x_seq), expected(x_seq))
    assert torch.equal(found.v, expected.v)
    for run in runs:
        assert not run.program.saved
        assert [name for name in run.arguments if name[0] in "ok"] == ["o0_ptr"]


@pytest.mark.parametrize("T", [1, 33])
def test_an_empty_batch(T):
    compare(lif(), sequence((0, 3), T=T))


LAYOUTS = {
    "every other": lambda x: torch.stack((x, x + 1), -1)[..., 0],
    "steps apart": lambda x: torch.stack((x, x + 1), 1)[:, 0],
    "backwards": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "channels last": lambda x: (
        x.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, x.shape[:2])
    ),
    "expanded in time": lambda x: x[:1].expand_as(x),
    "expanded": lambda x: x[:1, :1, :1, :1, :1].expand_as(x),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_and_upstream_gradients_in_any_layout(layout, monkeypatch):
    runs = use(monkeypatch)
    x_seq = sequence((2, 3, 4, 5), T=4)
    view = LAYOUTS[layout](x_seq)
    compare(lif(), view, loss=lambda node, spikes: (spikes * LAYOUTS[layout](x_seq)).sum())
    if layout in ("steps apart", "channels last", "expanded in time"):
        address = (
            results(lif()("triton"), [view], spikes_and_state) and runs[2].arguments["x0_ptr"]
        )
        assert address.data_ptr() == view.data_ptr()

    def loss(node, spikes):
        return spikes.contiguous().sub(LAYOUTS[layout](weights(spikes))).square().sum()

    compare(lif(), x_seq, loss=loss)


def test_cotangents_that_are_absent_are_not_read(monkeypatch):
    runs = use(monkeypatch)
    x_seq = sequence((7, 9))
    compare(lif(), x_seq, loss=lambda node, spikes: spikes.sum())
    assert runs[-1].arguments["c0_first"] is None
    compare(lif(), x_seq, loss=lambda node, spikes: node.v.sum())
    assert runs[-1].arguments["g0_ptr"] is None
    compare(lif(store_v_seq=True), x_seq, loss=lambda node, spikes: spikes[-1].sum())
    assert runs[-1].arguments["g1_ptr"] is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_first_state_and_its_gradient(dtype):
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    v = sequence((6, 11), T=1, seed=1, dtype=precision)[0]
    compare(lif(), sequence((6, 11), dtype=dtype), v=v)
    compare(lif(), sequence((6, 11), dtype=dtype), v=v.T.contiguous().T)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("order", ["contiguous", "channels last"])
def test_several_parameters_with_gradients(dtype, order):
    """Per channel, per neuron, and scalar, in one program for all shapes."""
    x_seq = sequence((5, 3, 2, 7), T=4, dtype=dtype)
    if order == "channels last":
        x_seq = LAYOUTS[order](x_seq)
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    shapes = ((3, 1, 1), (3, 2, 7), (1, 2, 1), (5, 3, 2, 7), (7,))
    for tau, threshold in zip(shapes, shapes[1:] + shapes[:1], strict=True):
        torch.manual_seed(0)
        values = (2 + torch.rand(tau), 1 + 0.1 * torch.rand(threshold), torch.tensor(-0.1))

        def make(backend, values=values):
            tau, v_threshold, v_reset = (nn.Parameter(v.to(precision)) for v in values)
            return lif(tau=tau, v_threshold=v_threshold, v_reset=v_reset)(backend)

        compare(make, x_seq)


def test_numbers_keep_their_precision():
    """A number goes as float64 into a float64 program, and else is rounded once."""
    for dtype in (torch.float64, torch.float32):
        x_seq = sequence((50,), T=20, dtype=dtype)
        nodes = [lif(tau=2.7 + 1e-9, v_threshold=0.7)(name) for name in ("eager", "triton")]
        with torch.no_grad():
            assert torch.equal(*(node(x_seq) for node in nodes))
        assert torch.equal(nodes[0].v, nodes[1].v)


@pytest.mark.parametrize("v_threshold", [1e9, float("inf"), -1.0])
@pytest.mark.parametrize("v_reset", [0.0, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_extreme_thresholds(v_threshold, v_reset, dtype):
    compare(lif(v_threshold=v_threshold, v_reset=v_reset), sequence((65,), dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_inputs_that_are_not_finite(dtype):
    x_seq = sequence((129,), dtype=dtype)
    x_seq[2, ::3], x_seq[3, 1::3], x_seq[1, ::5] = torch.inf, -torch.inf, torch.nan
    x_seq[4, ::7], x_seq[5, ::11] = 1e-45, -0.0
    with torch.no_grad():
        expected, found = lif()("eager"), lif()("triton")
        assert torch.equal(found(x_seq), expected(x_seq))
    assert torch.equal(found.v.nan_to_num(7.0), expected.v.nan_to_num(7.0))
    compare(lif(), x_seq, loss=lambda node, spikes: spikes.sum())


def test_a_stored_sequence_and_its_gradient():
    def loss(node, spikes):
        return spikes.sum() + (node.v_seq * weights(node.v_seq)).sum()

    x_seq = sequence((6, 11))
    compare(lif(store_v_seq=True), x_seq, loss=loss)
    nodes = [lif(store_v_seq=True)(name) for name in ("eager", "triton")]
    for node in nodes:
        node(x_seq)
    assert torch.equal(nodes[0].v_seq, nodes[1].v_seq)


def test_two_calls_carry_the_state():
    x_seq = sequence((4, 33), T=10)

    def in_two(node, spikes):
        return spikes.sum() + (node(x_seq[:3]) * weights(x_seq[:3])).sum() + node.v.sum()

    compare(lif(), x_seq, loss=in_two)


def test_decimals_that_land_on_the_threshold():
    """0.1 steps to a threshold of 0.3: each operation rounds as the lines' does."""
    x_seq = torch.full((20, 66), 0.1)
    x_seq[:, ::2] = 0.3
    for v_threshold in (0.3, 0.7, 1.1):
        compare(lif(tau=3.3, v_threshold=v_threshold, v_reset=None), x_seq)


@pytest.mark.parametrize("T", [7, 8, 9, 17])
def test_bits_are_packed_over_time(T, monkeypatch):
    runs = use(monkeypatch)
    make = lif(v_reset=None, surrogate_function=surrogate.Rect())
    compare(make, sequence((70,), T=T))
    assert [run.program.saved for run in runs] == [("bit",)] * 2
    packed = runs[1].arguments["k0_ptr"]
    assert packed.dtype == torch.uint8
    assert packed.shape == (-(-T // 8), 70)


class Swapping(neuron.BaseNode):
    """Two states that change places, one that is set to a number, one to a truth value."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        for name in ("a", "b", "fixed", "fired"):
            self.register_memory(name, 0.0)

    def neuronal_charge(self, x):
        self.a, self.b = self.b, self.a + 0.5 * x
        self.v = 0.9 * self.v + self.a + self.fixed + self.fired

    def neuronal_reset(self, spike):
        super().neuronal_reset(spike)
        self.fixed = self.fixed * 0 + self.v_threshold / 8
        self.fired = (spike > 0).float()


def test_states_are_handed_on_all_at_once():
    compare(lambda backend: Swapping(step_mode="m", backend=backend), sequence((3, 7), T=9))


def test_a_launch_without_a_device_says_what_to_do():
    node = neuron.LIFNode(step_mode="m", backend="triton")
    engine = triton.engine()
    assert engine.why_not is triton.why_not
    reason = engine.why_not(torch.device("cpu"))
    assert reason == (
        "Triton kernels run on a CUDA device, not on cpu: move net and input to one by .cuda()"
    )
    assert fused.why_not(engine, node, torch.device("cpu"), None) == reason
    if not torch.cuda.is_available():
        assert "torch finds no CUDA device" in engine.why_not(torch.device("cuda"))


def test_a_machine_without_triton_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    triton.why_not_here.cache_clear()
    try:
        reason = kernels.why_not(neuron.LIFNode(), "triton", "cuda")
        assert reason.startswith("triton cannot be imported (")
        assert reason.endswith("): pip install triton")
    finally:
        triton.why_not_here.cache_clear()
