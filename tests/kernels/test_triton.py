"""What is Triton's own in its kernels: how they are cut, what they read, what they are given.

That they compute what the node's lines do is tested with the other engines.
"""

import pytest
import torch
from agreement import compare, lif, results
from cases import DTYPES, LAYOUTS, sequence
from spikeframe.kernels import triton, triton_launch
from spikeframe.kernels.backend import fused_backend
from spikeframe.kernels.layout import Layout

from spikeframe import kernels, neuron, surrogate

# Earlier interpreters fail with numpy 2.4.
pytest.importorskip("triton", "3.9", reason="triton 3.9 is not installed")

from triton_on_cpu import interpret

pytestmark = pytest.mark.usefixtures("guarded")

# Steps fetched ahead, most neurons of a program.
SHAPES = ((1, 65536), (4, 64))
# Elements before and behind each tensor: its address is that of an access, or is not.
GUARDS = {"aligned": 64, "anywhere": 37}
EVERYWHERE = pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)


def use(monkeypatch, ahead=1, largest=65536):
    """Let the backend's name mean the interpreter, and note which kernels run."""
    runs = []

    def run(launch):
        runs.append(launch)
        interpret(launch, ahead, largest)

    row = fused_backend("triton", triton.engine(run))
    monkeypatch.setitem(kernels.BACKENDS, "triton", row)
    return runs


@EVERYWHERE
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("T", [2, 9])
def test_every_shape_of_program(dtype, shape, T, guard, monkeypatch):
    runs = use(monkeypatch, *shape)
    make = lif(surrogate_function=surrogate.ATan())
    compare("triton", make, sequence((200,), T=T, dtype=dtype))
    unit = triton_launch.ACCESS // dtype.itemsize
    assert [run.unit for run in runs] == [unit if guard == GUARDS["aligned"] else 1] * 2


@EVERYWHERE
@pytest.mark.parametrize("T", [7, 8, 9, 17])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bits_are_packed_over_time(T, shape, monkeypatch):
    runs = use(monkeypatch, *shape)
    make = lif(v_reset=None, surrogate_function=surrogate.Rect())
    compare("triton", make, sequence((72,), T=T))
    assert [run.program.saved for run in runs] == [("bit",)] * 2
    packed = runs[1].arguments["k0_ptr"]
    assert packed.dtype == torch.uint8
    assert packed.shape == (-(-T // 8), 72)


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
    compare("triton", lif(tau=tau), sequence((5, 40), T=3))


def test_without_a_gradient_spikes_and_the_last_state_alone_are_written(monkeypatch):
    runs = use(monkeypatch)
    with torch.no_grad():
        lif()("triton")(sequence((100,), T=5))
    (run,) = runs
    written = {name for name in run.arguments if name[0] in "ok" or name.endswith("_last")}
    assert written == {"o0_ptr", "v0_last"}


@pytest.mark.parametrize("layout", ["steps apart", "channels last", "expanded in time"])
def test_inputs_that_a_kernel_can_step_over_are_not_copied(layout, monkeypatch):
    runs = use(monkeypatch)
    view = LAYOUTS[layout](sequence((2, 3, 4, 5), T=4))
    results(lif()("triton"), view)
    assert runs[0].arguments["x0_ptr"].data_ptr() == view.data_ptr()


def test_cotangents_that_are_absent_are_not_read(monkeypatch):
    runs = use(monkeypatch)
    x_seq = sequence((7, 9))
    compare("triton", lif(), x_seq, lambda node, spikes: spikes.sum())
    assert runs[-1].arguments["c0_first"] is None
    compare("triton", lif(), x_seq, lambda node, spikes: node.v.sum())
    assert runs[-1].arguments["g0_ptr"] is None
    compare("triton", lif(store_v_seq=True), x_seq, lambda node, spikes: spikes[-1].sum())
    assert runs[-1].arguments["g1_ptr"] is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_numbers_keep_their_precision(dtype, monkeypatch):
    """A number goes as float64 into a float64 program, and else is rounded once."""
    runs = use(monkeypatch)
    x_seq = sequence((50,), T=20, dtype=dtype)
    nodes = [lif(tau=2.7 + 1e-9, v_threshold=0.7)(name) for name in ("eager", "triton")]
    with torch.no_grad():
        assert torch.equal(*(node(x_seq) for node in nodes))
    assert torch.equal(nodes[0].v, nodes[1].v)
    given = {value for name, value in runs[0].arguments.items() if name.endswith("_number")}
    assert torch.tensor(0.7, dtype=dtype).item() in given


def test_one_value_in_memory_is_read_by_the_kernel(monkeypatch):
    """A learned number stays on its device: to ask for it would be to wait."""
    runs = use(monkeypatch)
    node = neuron.ParametricLIFNode(step_mode="m", backend="triton")
    node(sequence((8,))).sum().backward()
    assert all(run.kinds.count("scalar") == 1 for run in runs)
    assert node.w.grad != 0


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


def test_states_are_handed_on_all_at_once(monkeypatch):
    use(monkeypatch)
    compare("triton", lambda b: Swapping(step_mode="m", backend=b), sequence((3, 7), T=9))
