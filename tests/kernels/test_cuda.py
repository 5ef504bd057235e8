"""What is particular to CUDA kernels: rows of several neurons, passed arguments, saved layouts.

What every engine computes is tested in test_engines.py; here it is tested again where the
threads' rows differ. The kernels run on the CPU, as cuda_on_cpu.py says.
"""

import functools

import cuda_on_cpu
import pytest
import torch
from agreement import compare, lif, results, weights
from cases import DTYPES, LAYOUTS, sequence
from foreign_neurons import Refractory
from spikeframe.kernels import cuda, fused
from spikeframe.kernels.backend import BACKENDS, fused_backend
from spikeframe.kernels.cache import traced
from spikeframe.kernels.cuda_source import widest
from spikeframe.kernels.layout import Layout
from torch import nn

from spikeframe import kernels, neuron, surrogate

pytestmark = pytest.mark.skipif(
    kernels.why_not(neuron.IFNode(), "cpp") is not None, reason="no C++ compiler"
)


@pytest.fixture
def guard():
    """So many elements that what lies behind them is aligned to 16 bytes, whatever they are."""
    return 48


@pytest.fixture(autouse=True)
def widths(monkeypatch, guarded):
    """How many neurons the threads of each kernel that ran had, in order."""
    found = []

    def load(text, name, device):
        found.append(int(text.partition("#define W ")[2].split()[0]))
        return cuda_on_cpu.load(text, name, device)

    engine = fused.Engine(
        functools.partial(cuda.forward, load=load),
        functools.partial(cuda.backward, load=load),
        lambda device: None,
    )
    monkeypatch.setitem(BACKENDS, "cupy", fused_backend("cupy", engine))
    return found


WIDTHS = {torch.float64: 2, torch.float32: 4, torch.bfloat16: 8, torch.float16: 8}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_thread_has_16_bytes_where_the_size_allows(widths, dtype):
    """Values and bits saved (in 16 bits of any neuron), in bytes that are never quite full."""
    window = {} if dtype.itemsize == 2 else {"surrogate_function": surrogate.Rect()}
    for size, T in ((1, 8), (63, 17), (1000, 9), (1002, 13), (1004, 16)):
        del widths[:]
        compare("cupy", lif(**window, v_reset=None), sequence((size,), T=T, dtype=dtype))
        expected = next(w for w in (8, 4, 2, 1) if size % w == 0 and w <= WIDTHS[dtype])
        assert widths == [expected, expected]


@pytest.mark.parametrize(("offset", "width"), [(1, 1), (2, 2), (3, 1), (4, 4)])
def test_rows_begin_where_their_tensors_do(widths, offset, width):
    """Inputs, upstream gradients and first states that lie at odd addresses."""
    x_seq = sequence((64,), T=6)
    shifted = torch.zeros(6 * 64 + offset)[offset:].view(6, 64).copy_(x_seq)
    compare("cupy", lif(), shifted)
    assert widths == [width, 4]

    def loss(node, spikes):
        spikes.register_hook(lambda grad: shifted)
        return spikes.sum()

    compare("cupy", lif(), x_seq, loss)
    assert widths[2:] == [4, width]
    apart = torch.zeros(6, 64 + offset)[:, :64].copy_(x_seq)
    compare("cupy", lif(), apart)
    assert widths[4:] == [width, 4]
    nodes = [lif()(backend) for backend in ("eager", "cupy")]
    with torch.no_grad():
        for node in nodes:
            node.v = shifted[0]
        assert torch.equal(nodes[0](x_seq), nodes[1](x_seq))
    assert widths[6:] == [width]


def test_a_static_input_is_read_in_place(widths):
    """Whether it is the same at every step, or half of a larger tensor."""
    compare("cupy", lif(), sequence((3, 64), T=1).expand(6, 3, 64))
    compare("cupy", lif(), sequence((2, 3, 64), T=6)[:, 1])
    assert set(widths) == {4}


def test_steps_may_lie_further_apart_than_32_bits_count():
    far = torch.empty(2**31 + 1000, dtype=torch.float16)  # of which two pages are touched
    x_seq = far.as_strided((2, 1000), (2**31, 1))
    x_seq.copy_(sequence((1000,), T=2, dtype=torch.float16))
    compare("cupy", lif(), x_seq)


class Divided(neuron.BaseNode):
    """Divides by a number of any sign and size."""

    def __init__(self, divisor, **kwargs):
        super().__init__(**kwargs)
        self.divisor = divisor

    def neuronal_charge(self, x):
        self.v = self.v / self.divisor + x


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("divisor", [2.0, 0.25, -4.0, 3.0, 2.0**-120, 2.0**120])
def test_division_by_a_power_of_two(dtype, divisor):
    """Is a multiplication, with the same bits, those of subnormal numbers too."""
    x_seq = sequence((128,), T=5, dtype=dtype)
    tiny = torch.tensor([3e-45, -1e-38, 5e-41, 0.0, -0.0], dtype=torch.float64)
    x_seq[:, ::3] = tiny.to(dtype)[:, None]
    for v_threshold in (1.0, 3e-39, 7e-46):
        first, second = (
            Divided(divisor, v_threshold=v_threshold, step_mode="m", backend=backend)
            for backend in ("eager", "cupy")
        )
        found = [results(node, x_seq) for node in (first, second)]
        assert torch.equal(found[0][0], found[1][0])
        assert torch.equal(found[0][1].nan_to_num(), found[1][1].nan_to_num())
        assert torch.equal(found[0][1].signbit(), found[1][1].signbit())


@pytest.mark.parametrize("order", ["contiguous", "channels last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_parameters_of_rows(widths, dtype, order):
    """Per channel, whose border may lie within a row, and per neuron; and gradients of each."""
    x_seq = sequence((4, 3, 4, 10), T=6, dtype=dtype)
    if order == "channels last":
        x_seq = LAYOUTS[order](x_seq)
    shapes = ((3, 1, 1), (3, 4, 10), (1, 4, 1), (4, 3, 4, 10), (10,))
    for tau, threshold in zip(shapes, shapes[1:] + shapes[:1], strict=True):
        torch.manual_seed(0)
        values = (2 + torch.rand(tau), 1 + 0.1 * torch.rand(threshold), torch.tensor(-0.1))

        def make(backend, values=values):
            tau, v_threshold, v_reset = (nn.Parameter(v.clone()) for v in values)
            return lif(tau=tau, v_threshold=v_threshold, v_reset=v_reset)(backend)

        compare("cupy", make, x_seq)
    assert set(widths) == {WIDTHS[dtype]}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [64, 66])
def test_three_states_and_bits_in_rows(widths, dtype, size):
    x_seq = sequence((2, 4, size), T=19, dtype=dtype)
    if dtype.itemsize > 2:
        compare("cupy", lambda b: Refractory(step_mode="m", backend=b).to(dtype), x_seq)
    else:  # its gradient in 16 bits goes through rounded values that differ from eager's
        with torch.no_grad():
            nodes = [Refractory(step_mode="m", backend=b) for b in ("eager", "cupy")]
            assert torch.equal(nodes[0](x_seq), nodes[1](x_seq))
            assert torch.equal(nodes[0].v, nodes[1].v)


class Mixture(neuron.BaseNode):
    """A neuron of more learned parameters than registers have room for at full width."""

    COUNT = 10

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.parts = nn.ParameterList(torch.linspace(0.1, 0.2, size) for _ in range(self.COUNT))
        for i in range(self.COUNT):
            setattr(self, f"w{i}", self.parts[i])

    def neuronal_charge(self, x):
        for i in range(self.COUNT):
            x = x * (1.0 - getattr(self, f"w{i}") * 0.1) + getattr(self, f"w{i}")
        self.v = self.v * 0.5 + x


def test_many_parameters_leave_fewer_neurons_to_a_thread(widths):
    compare("cupy", lambda b: Mixture(64, step_mode="m", backend=b), sequence((2, 64), T=3))
    assert widths == [4, 2]
    known = traced(Mixture(64))
    program = known.program((), tuple(range(len(known.trace.parameters))))
    kinds = ("many",) * program.n_parameters
    assert widest(program, kinds, "bfloat16", "forward") == 4
    assert widest(program, kinds, "bfloat16", "backward") == 2
    assert widest(program, kinds, "float64", "backward") == 1
    assert widest(program, ("number",) * program.n_parameters, "bfloat16", "forward") == 8


@pytest.mark.parametrize("surrogate_function", [surrogate.Rect(), surrogate.ATan()])
@pytest.mark.parametrize("save", [lambda t: t.contiguous(), lambda t: t.mT.contiguous().mT])
def test_what_is_saved_may_come_back_otherwise_in_memory(save, surrogate_function):
    """As it does from hooks that take it away for a while, to the host for one."""
    x_seq = LAYOUTS["channels last"](sequence((2, 3, 4, 8), T=10)).requires_grad_()
    make = lif(surrogate_function=surrogate_function, v_reset=None)
    with torch.autograd.graph.saved_tensors_hooks(save, lambda t: t):
        spikes = make("cupy")(x_seq)
        (found,) = torch.autograd.grad((spikes * weights(x_seq)).sum(), x_seq)
    (expected,) = torch.autograd.grad((make("cupy")(x_seq) * weights(x_seq)).sum(), x_seq)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_saved_value_stays_finite_where_it_is(dtype):
    """In its own sign; what is infinite or nan stays so."""
    most = torch.finfo(dtype).max
    x_seq = torch.zeros(3, 8, dtype=dtype)
    x_seq[0] = torch.tensor([most, -most, torch.inf, -torch.inf, torch.nan, 1.0, -1.0, 0.0])
    x_seq[1] = x_seq[0] / 64
    node = neuron.IFNode(v_threshold=torch.inf, surrogate_function=surrogate.ATan())
    known = traced(node)
    program = known.program((), (), True)
    assert program.saved == ("bit", "value")
    parameters = [uniform.evaluate(node) for uniform, _ in known.trace.parameters]
    _, (v,), (_, kept) = cuda.forward(
        program,
        Layout(x_seq),
        [x_seq],
        [torch.zeros(8)],
        parameters,
        load=cuda_on_cpu.load,
    )
    h = x_seq.float().cumsum(0)
    expected = torch.where(h.isinf(), h, h.clamp(-most, most)).to(dtype)
    assert v[0] > most
    assert torch.equal(kept.isnan(), expected.isnan())
    number = ~expected.isnan()
    assert torch.equal(kept[number], expected[number])
