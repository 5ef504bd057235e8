"""How CUDA kernels are passed parameters, compiled for a device, and launched, without a device.

A CuPy of our own takes the place of the real one: it records what it is asked and runs the kernel
on the CPU.
"""

import contextlib
import functools
import importlib.machinery
import importlib.util
import sys
import types

import cuda_on_cpu
import pytest
import torch
from agreement import compare, lif, results
from cases import sequence
from spikeframe.kernels import cuda, fused, nvrtc
from spikeframe.kernels.backend import BACKENDS, fused_backend
from spikeframe.kernels.build import BuildError
from spikeframe.kernels.cache import traced
from spikeframe.kernels.cuda_arguments import kinds_of
from spikeframe.kernels.cuda_source import source

from spikeframe import kernels, neuron

CAPABILITIES = {0: (8, 0), 1: (9, 0)}
SECOND = torch.device("cuda", 1)


def _why_not_nvrtc():
    try:
        nvrtc.version()
    except BuildError as error:
        return str(error)
    return kernels.why_not(neuron.IFNode(), "cpp")


needs_nvrtc = pytest.mark.skipif(_why_not_nvrtc() is not None, reason=str(_why_not_nvrtc()))


class FakeStream:
    """A stream of torch."""

    def __init__(self, device):
        self.cuda_stream = 100 + device.index

    def __cuda_stream__(self):
        return 0, self.cuda_stream


class FakeCupy(types.ModuleType):
    """The part of CuPy that is used, with what was asked of it."""

    def __init__(self, sources):
        super().__init__("cupy")
        self.__spec__ = importlib.machinery.ModuleSpec("cupy", None)
        self.__version__ = "14.2.0"
        self.sources, self.launches, self.modules = sources, [], []
        self.entered = []
        self.cuda = types.SimpleNamespace(
            Device=lambda index: self.context(("device", index)),
            Stream=types.SimpleNamespace(from_external=self.stream),
            ExternalStream=lambda pointer, index: self.context(("external", pointer, index)),
            runtime=types.SimpleNamespace(getDeviceCount=lambda: len(CAPABILITIES)),
        )

    def stream(self, other):
        return self.context(("stream", *other.__cuda_stream__()))

    @contextlib.contextmanager
    def context(self, what):
        self.entered.append(what)
        yield
        assert self.entered.pop() == what

    def RawModule(self, *, path):
        self.modules.append((path, tuple(self.entered)))
        return types.SimpleNamespace(get_function=functools.partial(self.kernel, path))

    def kernel(self, path, name):
        run = cuda_on_cpu.load(self.sources[path], name, torch.device("cpu"))

        def launch(grid, block, arguments):
            self.launches.append((name, grid, block, arguments, tuple(self.entered)))
            run(*grid, arguments)

        return launch


@pytest.fixture
def cupy(monkeypatch, tmp_path):
    """A machine with two devices of different kinds, and CuPy on it."""
    sources, binary = {}, cuda.binary

    def remembered(text, capability):
        path = binary(text, capability)
        sources[str(path)] = text
        return path

    fake = FakeCupy(sources)
    monkeypatch.setenv("SPIKEFRAME_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cuda, "binary", remembered)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    for name, value in {
        "is_available": lambda: True,
        "device_count": lambda: len(CAPABILITIES),
        "current_device": lambda: 1,
        "get_device_capability": lambda device: CAPABILITIES[device.index],
        "current_stream": FakeStream,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    for cached in (cuda.load, cuda.why_not_here, cuda.prepared):
        cached.cache_clear()
    yield fake
    for cached in (cuda.load, cuda.why_not_here, cuda.prepared):
        cached.cache_clear()


@pytest.fixture
def on_second(cupy, monkeypatch):
    """The backend, with tensors of the CPU taken for those of the second device."""

    def load(text, name, device):
        return cuda.load(text, name, SECOND)

    engine = fused.Engine(
        functools.partial(cuda.forward, load=load),
        functools.partial(cuda.backward, load=load),
        lambda device: cuda.why_not(SECOND),
        cuda.prepare,
    )
    monkeypatch.setitem(BACKENDS, "cupy", fused_backend("cupy", engine))
    return cupy


@needs_nvrtc
def test_a_launch_is_on_the_device_and_stream_of_torch(on_second):
    x_seq = sequence((1000,), T=5)
    compare("cupy", lif(tau=2.0), x_seq)
    (name, grid, block, arguments, entered), backward = on_second.launches
    assert (name, backward[0]) == ("forward", "backward")
    assert block == (cuda.THREADS,)
    assert grid == (-(-1000 // (4 * cuda.THREADS)),)
    assert arguments[:2] == (5, 1000)
    assert arguments[3] == 1000
    assert [float(number) for number in arguments[-4:]] == [0.0, 2.0, 1.0, 4.0]
    assert {type(argument).__name__ for argument in arguments} == {"int", "float32"}
    assert entered == backward[-1] == (("device", 1), ("stream", 0, 101))
    assert [entered for _, entered in on_second.modules] == [(("device", 1),)] * 2
    assert not on_second.entered


@needs_nvrtc
def test_an_older_cupy_takes_the_stream_by_its_address(on_second):
    on_second.cuda.Stream = None
    lif()("cupy")(sequence((8,)))
    assert on_second.launches[0][-1] == (("device", 1), ("external", 101, 1))


@needs_nvrtc
def test_a_cotangent_that_nobody_gave_is_null(on_second):
    x_seq = sequence((64,), T=5)
    compare("cupy", lif(), x_seq, lambda node, spikes: node.v.sum())
    compare("cupy", lif(), x_seq, lambda node, spikes: spikes.sum())
    by_state, by_spikes = (arguments for name, _, _, arguments, _ in on_second.launches[1::2])
    read, first = slice(2, 4), 6  # the spikes' cotangent and its stride; the state's
    assert by_state[read] == (0, 0)
    assert by_state[first] != 0
    assert by_spikes[read] != (0, 0)
    assert by_spikes[first] == 0


@needs_nvrtc
def test_an_empty_batch_launches_nothing(on_second):
    results(lif()("cupy"), sequence((0, 3), T=4))
    assert not on_second.launches


@needs_nvrtc
def test_each_device_gets_its_own_machine_code_and_module(cupy):
    program = _program(neuron.LIFNode())
    text = source(program, ("number",) * 4, "float32", "forward", 4)
    first = cuda.load(text, "forward", torch.device("cuda", 0))
    second = cuda.load(text, "forward", SECOND)
    assert cuda.load(text, "forward", SECOND) is second
    assert first is not second
    (one, entered), (other, entered_then) = cupy.modules
    assert one != other
    assert (entered, entered_then) == ((("device", 0),), (("device", 1),))


@needs_nvrtc
def test_what_prepare_compiles_is_what_a_call_runs(on_second, tmp_path):
    node, x_seq = lif()("cupy"), sequence((64,), T=5).requires_grad_()
    node.fit_memories(x_seq[0])
    assert kernels.why_not(node, "cupy", "cpu", kernels.Call(node, [x_seq])) is None
    compiled = sorted(tmp_path.glob("*.cubin"))
    assert len(compiled) == 2
    node(x_seq).sum().backward()
    assert sorted(tmp_path.glob("*.cubin")) == compiled
    assert sorted(path for path, _ in on_second.modules) == sorted(map(str, compiled))


@needs_nvrtc
def test_a_kernel_that_does_not_compile_is_a_reason(on_second, monkeypatch):
    monkeypatch.setattr(cuda, "text_of", lambda *arguments: "this is no CUDA")
    node, x_seq = lif()("cupy"), sequence((64,), T=5)
    node.fit_memories(x_seq[0])
    reason = kernels.why_not(node, "cupy", "cpu", kernels.Call(node, [x_seq]))
    assert "NVRTC 1" in reason
    assert "sm_90" in reason
    with pytest.raises(RuntimeError, match="backend 'cupy' cannot run LIFNode on cpu: NVRTC"):
        node(x_seq)


def test_why_not_names_the_remedy(cupy, monkeypatch):
    def reason(device=SECOND):
        cuda.why_not_here.cache_clear()
        return cuda.why_not(device)

    assert reason() is None
    assert reason(torch.device("cpu")) == (
        "CuPy kernels run on a CUDA device, not on cpu: net.to('cuda')"
    )
    cupy.__version__ = "12.3.0"
    assert "CuPy 12.3.0 is older than 13: pip install" in reason()
    cupy.__version__ = "14.2.0"
    cupy.cuda.runtime.getDeviceCount = lambda: 1
    assert "CuPy sees 1 devices, torch 2: pip install" in reason()

    def fail():
        raise OSError("driver version is insufficient")

    cupy.cuda.runtime.getDeviceCount = fail
    assert "does not work (OSError: driver version is insufficient): pip install" in reason()
    monkeypatch.setattr(sys, "platform", "win32")
    assert "not on win32" in reason()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "sees no CUDA device: it takes NVIDIA's driver" in reason()


def test_a_machine_without_cupy_says_how_to_install_it(cupy, monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "cupy" else find(name)
    )
    node = neuron.LIFNode(step_mode="m", backend="cupy")
    assert "CuPy is not installed: pip install 'spikeframe[cupy]'" in kernels.why_not(
        node, "cupy", "cuda:1"
    )
    assert kernels.why_not(node, "cupy", "cpu") is not None
    with pytest.raises(RuntimeError, match="'cupy' cannot run LIFNode on cpu: CuPy kernels run"):
        node(sequence((3,)))


def test_auto_prefers_the_kernels_of_the_device():
    names = [name for name in kernels.BACKENDS if name != "triton"]
    assert names == ["cupy", "cpp", "torch", "eager"]


def _program(node, **options):
    known = traced(node)
    arguments = {"sequences": (), "differentiated": ()} | options
    return known.program(*arguments.values())


def test_only_a_divisor_is_a_power():
    """So that other numbers change without another kernel; and no power beyond exact inverses."""
    program = _program(neuron.LIFNode())

    def kinds(tau, v_threshold):
        return kinds_of(program, (0.0, tau, v_threshold, 1.0), torch.device("cpu"))

    assert kinds(2.0, 0.5) == ("number", "power", "number", "number")
    assert kinds(3.0, 0.5) == ("number",) * 4
    assert kinds(2.0**-140, 1.0) == ("number",) * 4
    assert kinds(torch.tensor(2.0), torch.tensor([1.0, 2.0])) == (
        *("number", "one", "many", "number"),
    )
    text = source(program, kinds(2.0, 0.5), "float32", "forward", 4)
    assert " / p1;" in text
    assert text.count(" / p1") == 1
    assert " * over_p1;" in text


def test_a_number_on_the_cpu_is_passed_and_one_on_the_device_is_read():
    """To read it here would wait for the device."""
    program = _program(neuron.LIFNode())
    parameters = (0.0, torch.tensor(2.0), torch.tensor([1.0]), 1.0)
    for device, expected in (
        ("cuda", ("number", "power", "number", "number")),
        ("cpu", ("number", "one", "one", "number")),
    ):
        assert kinds_of(program, parameters, torch.device(device)) == expected
