"""On a device, its kernels give what the node's own lines give on the CPU.

Run with ``pytest -m gpu``; without a device, or without a backend's library, all is skipped.
"""

import pytest
import torch
from cases import DTYPES, NEURONS, TOLERANCE, sequence
from foreign_neurons import FOREIGN
from naming import shown
from reference import relative_error
from spikeframe.kernels.layout import Layout
from torch import nn

from spikeframe import kernels, neuron, surrogate

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

# v_reset, detach_reset.
RESETS = ((0.0, False), (-0.3, True), (None, False), (None, True))
# Of few neurons and of as many as fill a device; the odd ones begin rows anywhere.
SIZES = (1, 63, 1000, 2**21, 2**21 + 1)
POISON = 0xA5


@pytest.fixture(params=["triton", "cupy"])
def backend(request):
    """A backend that runs on the device, if its library is there."""
    reason = kernels.why_not(neuron.IFNode(), request.param, "cuda")
    if reason is not None:
        pytest.skip(reason)
    return request.param


@pytest.fixture(params=[64, 37], ids=["aligned", "anywhere"])
def guarded(request, monkeypatch):
    """Every tensor for a kernel starts as nan and lies between nan, which must stay."""
    width, made = request.param, []

    def allocate(shape, strides, dtype, device):
        length = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
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
    yield
    assert any(buffer.is_cuda for buffer, _ in made), "no kernel ran"
    for buffer, length in made:
        around = torch.cat((buffer[:width], buffer[width + length :]))
        assert (around.isnan() | (around == torch.full_like(around, POISON))).all()


def weights(value):
    plane = torch.linspace(-1, 1, value.numel(), dtype=torch.float64).reshape(value.shape)
    return plane.to(value)


def spikes_and_state(node, spikes):
    return (spikes * weights(spikes)).sum() + (node.v * weights(node.v)).sum()


def results(node, x_seqs, loss, v, device):
    """Spikes, last state, and the gradients of inputs, parameters and first state, on the CPU."""
    node = node.to(device)
    x_seqs = [x.detach().to(device).requires_grad_() for x in x_seqs]
    wanted = [*x_seqs, *node.parameters()]
    if v is not None:
        node.v = v.detach().to(device).requires_grad_()
        wanted.append(node.v)
    spikes = node(*x_seqs)
    grads = torch.autograd.grad(loss(node, spikes), wanted)
    assert spikes.device == node.v.device == x_seqs[0].device
    return spikes.detach().cpu(), node.v.detach().cpu(), [grad.cpu() for grad in grads]


def compare(make, backend, *x_seqs, loss=spikes_and_state, v=None, exact=True, device="cuda"):
    """``make(backend)`` gives a node; the eager lines run on the CPU."""
    expected = results(make("eager"), x_seqs, loss, v, "cpu")
    found = results(make(backend), x_seqs, loss, v, device)
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


@pytest.mark.parametrize("case", NEURONS, ids=shown)
@pytest.mark.parametrize(("v_reset", "detach_reset"), RESETS)
def test_every_neuron_and_reset(case, v_reset, detach_reset, backend):
    def make(backend):
        return case(v_reset=v_reset, detach_reset=detach_reset, step_mode="m", backend=backend)

    compare(make, backend, sequence((3, 67), T=9))


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
@pytest.mark.parametrize(("name", "build", "n"), FOREIGN, ids=shown)
def test_every_neuron_of_a_user(name, build, n, dtype, backend):
    def make(backend):
        node = build(step_mode="m", backend=backend)
        return node.double() if dtype == torch.float64 else node

    x_seqs = [sequence((4, 5), T=9, seed=i, dtype=dtype) for i in range(n)]
    compare(make, backend, *x_seqs, exact=name not in ("conductance", "two-inputs"))


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
@pytest.mark.parametrize("T", [1, 2, 33])
@pytest.mark.parametrize("size", SIZES)
def test_every_dtype_at_odd_sizes(dtype, T, size, backend):
    if size * T * dtype.itemsize > 2**28:
        pytest.skip("the eager lines on the CPU would take long")
    compare(lif(), backend, sequence((size,), T=T, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
@pytest.mark.parametrize("size", [200, 2**20])
def test_nothing_is_written_outside_of_a_buffer(dtype, size, backend, guarded):
    node = lif(surrogate_function=surrogate.Rect(), v_reset=None, store_v_seq=True)(backend)
    x_seq = sequence((size,), T=9, dtype=dtype).cuda().requires_grad_()
    spikes = node(x_seq)
    (spikes.sum() + node.v_seq.sum()).backward()
    for value in (spikes, node.v, node.v_seq, x_seq.grad):
        assert value.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
@pytest.mark.parametrize("size", [0, 1000, 2**21])
def test_without_a_gradient(dtype, size, backend):
    x_seq = sequence((size,), T=5, dtype=dtype)
    with torch.no_grad():
        expected, found = lif()("eager"), lif()(backend)
        assert torch.equal(found(x_seq.cuda()).cpu(), expected(x_seq))
    assert torch.equal(found.v.cpu(), expected.v)


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
def test_inputs_and_upstream_gradients_in_any_layout(layout, backend):
    x_seq = sequence((2, 3, 4, 5), T=4)
    expected = [lif()("eager"), x_seq.clone().requires_grad_()]
    found = [lif()(backend), x_seq.cuda().requires_grad_()]
    for pair in (expected, found):
        spikes = pair[0](LAYOUTS[layout](pair[1]))
        spikes.backward(LAYOUTS[layout](weights(spikes)))
        pair[0] = spikes.detach().cpu()
    assert torch.equal(found[0], expected[0])
    assert relative_error(found[1].grad.cpu(), expected[1].grad) <= TOLERANCE[torch.float32]


def test_outputs_that_nobody_uses(backend):
    x_seq = sequence((7, 9))
    compare(lif(), backend, x_seq, loss=lambda node, spikes: spikes.sum())
    compare(lif(), backend, x_seq, loss=lambda node, spikes: node.v.sum())
    make = lif(store_v_seq=True)
    compare(make, backend, x_seq, loss=lambda node, spikes: spikes[-1].sum())
    compare(make, backend, x_seq, loss=lambda node, spikes: node.v_seq[1:3].sum())


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
def test_the_first_state_and_its_gradient(dtype, backend):
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    v = sequence((6, 11), T=1, seed=1, dtype=precision)[0]
    compare(lif(), backend, sequence((6, 11), dtype=dtype), v=v)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=shown)
def test_several_parameters_with_gradients(dtype, backend):
    """Per channel, per neuron, and scalar; the same bits at every run."""
    x_seq = sequence((5, 3, 2, 7), T=4, dtype=dtype)
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    shapes = ((3, 1, 1), (3, 2, 7), (1, 2, 1), (5, 3, 2, 7), (7,), (1,))
    for tau, threshold in zip(shapes, shapes[1:] + shapes[:1], strict=True):
        torch.manual_seed(0)
        values = (2 + torch.rand(tau), 1 + 0.1 * torch.rand(threshold), torch.tensor(-0.1))

        def make(backend, values=values):
            tau, v_threshold, v_reset = (nn.Parameter(v.to(precision)) for v in values)
            return lif(tau=tau, v_threshold=v_threshold, v_reset=v_reset)(backend)

        compare(make, backend, x_seq)
        once, again = (
            results(make(backend), [x_seq], spikes_and_state, None, "cuda")[2] for _ in range(2)
        )
        assert all(map(torch.equal, once, again))


@pytest.mark.parametrize("v_threshold", [1e9, float("inf"), -1.0])
@pytest.mark.parametrize("v_reset", [0.0, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=shown)
def test_extreme_thresholds(v_threshold, v_reset, dtype, backend):
    make = lif(v_threshold=v_threshold, v_reset=v_reset)
    compare(make, backend, sequence((65,), dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=shown)
def test_inputs_that_are_not_finite(dtype, backend):
    x_seq = sequence((129,), dtype=dtype)
    x_seq[2, ::3], x_seq[3, 1::3], x_seq[1, ::5] = torch.inf, -torch.inf, torch.nan
    x_seq[4, ::7], x_seq[5, ::11] = 1e-45, -0.0
    compare(lif(), backend, x_seq, loss=lambda node, spikes: spikes.sum())


def test_decimals_that_land_on_the_threshold(backend):
    """0.1 steps to a threshold of 0.3: each operation rounds as the lines' does on the CPU."""
    x_seq = torch.full((40, 1025), 0.1)
    x_seq[:, ::2] = 0.3
    for v_threshold in (0.3, 0.7, 1.1):
        compare(lif(tau=3.3, v_threshold=v_threshold, v_reset=None), backend, x_seq)


def test_a_silent_membrane_decays_through_subnormal_numbers(backend):
    x_seq = torch.zeros(300, 70)
    x_seq[0] = torch.linspace(-0.9, 0.9, 70)
    compare(lif(tau=2.0), backend, x_seq)


def test_two_calls_carry_the_state(backend):
    x_seq = sequence((4, 33), T=10)

    def in_two(node, spikes):
        first = x_seq[:3].to(spikes.device)
        return spikes.sum() + (node(first) * weights(first)).sum() + node.v.sum()

    compare(lif(), backend, x_seq, loss=in_two)


def test_kernels_run_on_the_current_stream(backend):
    """What comes after waits for what comes before, on a stream of one's own."""
    x_seq = sequence((512, 512), T=16)
    expected = lif()("eager")(x_seq)
    node, side = lif()(backend), torch.cuda.Stream()
    node(x_seq.cuda())
    node.reset()
    source, matrix = x_seq.pin_memory(), torch.rand(4096, 4096, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        for _ in range(20):  # keeps the stream busy for longer than a launch takes
            matrix = matrix @ matrix
        spikes = node(source.to("cuda", non_blocking=True))
        found = spikes.to("cpu")
    assert torch.equal(found, expected)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is no second CUDA device")
def test_kernels_run_on_the_device_of_their_tensors(backend):
    """Forward and backward, with another device current; compiled for each."""
    for index in (1, 0):
        make = lif(tau=nn.Parameter(torch.tensor(2.7)))
        compare(make, backend, sequence((3, 67), T=9), device=f"cuda:{index}")
    assert torch.cuda.current_device() == 0


def test_a_call_is_captured_in_a_graph(backend):
    x_seq = sequence((64, 100), T=8).cuda()
    node = lif()(backend)
    with torch.no_grad():
        for _ in range(3):
            expected = node(x_seq)
            node.reset()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = node(x_seq)
        found.zero_()
        graph.replay()
        torch.cuda.synchronize()
        assert torch.equal(found, expected)
        x_seq.mul_(0.0)
        graph.replay()
        torch.cuda.synchronize()
        assert not found.any()


def test_auto_takes_a_kernel_on_a_device():
    serving = [name for name in ("triton", "cupy") if kernels.BACKENDS.get(name)]
    serving = [n for n in serving if kernels.why_not(neuron.IFNode(), n, "cuda") is None]
    if not serving:
        pytest.skip("neither triton nor cupy is installed")
    assert kernels.choose(neuron.IFNode(), "auto", "cuda").name == serving[0]
