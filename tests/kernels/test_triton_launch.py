"""How Triton kernels are launched: shape, stream, device, and how often one is compiled.

A stub stands for the driver: all is as it would be with a device, but nothing runs.
"""

import sys

import pytest
import torch
from cases import sequence
from spikeframe.kernels.cache import traced
from spikeframe.kernels.layout import Layout
from spikeframe.kernels.program import Code, Line, Program

from spikeframe import kernels, neuron

pytest.importorskip("triton", reason="triton is not installed")

from spikeframe.kernels import triton, triton_launch, triton_source
from stub_driver import in_place_of_cuda

ENGINE = triton.engine()


@pytest.fixture
def stub(monkeypatch, tmp_path):
    with in_place_of_cuda(monkeypatch, tmp_path) as found:
        yield found


def program(gradient=True, **options):
    return traced(neuron.LIFNode(**options)).program((), () if gradient else None)


def forward(made, x_seq):
    layout = Layout(x_seq)
    parameters = [2.0, *(1.0 for _ in range(made.n_parameters - 1))]
    return ENGINE.forward(made, layout, [x_seq], [torch.zeros_like(x_seq[0])], parameters)


def test_a_kernel_is_launched_where_its_tensors_are(stub):
    made, x_seq = program(), sequence((1000,), T=5)
    outputs, states, saved = forward(made, x_seq)
    gradient = torch.ones_like(x_seq)
    parameters = [2.0, *(1.0 for _ in range(made.n_parameters - 1))]
    x_grads, first, _ = ENGINE.backward(
        made, Layout(x_seq), [gradient], [None], saved, {}, parameters
    )
    there, back = stub.launched
    assert (there.device, there.stream) == (90, 190)
    assert there.grid == back.grid == (-(-1000 // 64), 1, 1)
    for name, tensor in (("x0_ptr", x_seq), ("o0_ptr", outputs[0]), ("k0_ptr", saved[0])):
        assert there.arguments[name].data_ptr() == tensor.data_ptr()
    assert there.arguments["v0_last"].data_ptr() == states[0].data_ptr()
    assert (there.arguments["T"], there.arguments["N"], there.arguments["UNIT"]) == (5, 250, 4)
    assert there.arguments["p1_number"] == 1.0
    assert back.arguments["g0_ptr"].data_ptr() == gradient.data_ptr()
    assert back.arguments["d0_ptr"].data_ptr() == x_grads[0].data_ptr()
    assert back.arguments["c0_first"] is None
    assert back.arguments["c0_last"].data_ptr() == first[0].data_ptr()


def test_the_device_of_the_tensors_is_made_current(stub):
    x_seq = sequence((8,), T=2)
    runs = []
    triton.rehearse(runs.append, program(gradient=False), ("number",) * 3, torch.float32)
    layout = Layout(x_seq)
    layout.device = torch.device("cuda", 91)
    triton_launch.launch(triton_launch.Launch(**{**vars(runs[0]), "layout": layout}))
    assert [(run.device, run.stream) for run in stub.launched] == [(91, 191)]
    assert stub.current == 90


def test_few_variants_serve_all_shapes(stub):
    """Of T and N, 1 and multiples of 16 too, and of the first address: four, and no more."""
    made = program(gradient=False)
    for T in (1, 2, 16, 1000):
        for size in (1, 3, 4, 16, 1000, 1004):
            forward(made, sequence((size,), T=T))
            forward(made, sequence((size + 1,), T=T)[:, 1:])
    assert len(stub.launched) == 48
    assert stub.compiled == 2
    for size in (2**19, 2**19 + 4, 2**19 + 1):
        forward(made, torch.zeros(2, size))
    assert [run.warps for run in stub.launched[-3:]] == [4, 4, 4]
    assert stub.launched[-1].grid == (2**19 // 512 + 1, 1, 1)
    assert stub.compiled == 4


def test_nothing_is_launched_for_an_empty_batch(stub):
    outputs, _, _ = forward(program(), torch.zeros(3, 0, 2))
    assert outputs[0].shape == (3, 0, 2)
    assert not stub.launched


def test_few_neurons_are_spread_over_the_processors():
    def shape(size, dtype=torch.float32):
        return triton_launch.shape_of(
            Layout(torch.empty(1, size, dtype=dtype, device="meta")), 132
        )

    enough = 132 * 512
    assert shape(4 * enough) == triton_launch.Shape(block=512, warps=4, ahead=1)
    assert shape(4 * enough - 4) == triton_launch.Shape(block=64, warps=2, ahead=4)
    assert shape(8 * enough, torch.bfloat16) == triton_launch.Shape(1024, 4, 1)
    assert shape(2 * enough, torch.float64) == triton_launch.Shape(256, 4, 1)


def test_a_call_is_compiled_as_it_is_prepared(stub):
    made = program()
    parameters = [2.0] * made.n_parameters
    assert triton.prepare(made, torch.float32, parameters) is None
    assert not stub.launched
    x_seq = torch.zeros(2, 2**19)
    _, _, saved = forward(made, x_seq)
    ENGINE.backward(made, Layout(x_seq), [x_seq], [None], saved, {}, parameters)
    for name in ("forward", "backward"):
        runs = []
        triton.rehearse(runs.append, made, ("number",) * made.n_parameters, torch.float32)
        run = next(run for run in runs if run.name == name)
        (cache, *_) = triton_launch.compiled(run, 1).device_caches[90]
        assert len(cache) == 1


def test_a_program_that_does_not_compile_is_a_reason(stub, monkeypatch):
    monkeypatch.setitem(triton_source.OPERATIONS, "mul", "tl.no_such_function({0}, {1})")
    code = Code((Line("t0", "mul", (0.876, "x0")),), ("t0",))
    reason = triton.prepare(Program(1, 0, 0, code, 1), torch.float32, [])
    assert reason.startswith("Triton cannot compile this program: ")
    assert "no_such_function" in reason


def test_devices_that_triton_does_not_serve_are_named(stub, monkeypatch):
    """Each device number once, since what is found is kept for the process."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 0))
    assert triton.why_not(torch.device("cuda", 100)) == (
        "Triton needs a device of compute capability 8.0 or later, and cuda:100 has 7.0: "
        "use backend='torch'"
    )
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    # The stub runs nothing, so the kernel that is to store 1 does not.
    monkeypatch.setattr(torch, "zeros", lambda *size, device: torch.full(size, 0.0))
    reason = triton.why_not(torch.device("cuda", 101))
    assert (
        reason == "Triton does not work on cuda:101: a kernel that stores 1 stored something else"
    )
    monkeypatch.setattr(torch, "zeros", lambda *size, device: torch.full(size, 1.0))
    assert triton.why_not(torch.device("cuda", 102)) is None
    monkeypatch.setattr(torch.version, "hip", "6.0")
    assert "nobody measured on others" in triton.why_not(torch.device("cuda", 103))


def test_off_a_device_the_reason_says_what_to_do():
    assert ENGINE.why_not(torch.device("cpu")) == (
        "Triton kernels run on a CUDA device, not on cpu: move net and input to one by .cuda()"
    )


def test_without_a_device_the_reason_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch finds no CUDA device" in kernels.why_not(neuron.LIFNode(), "triton", "cuda")


def test_without_triton_the_reason_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    triton.why_not_here.cache_clear()
    try:
        reason = kernels.why_not(neuron.LIFNode(), "triton", "cuda")
    finally:
        triton.why_not_here.cache_clear()
    assert reason.startswith("triton cannot be imported (")
    assert reason.endswith("): pip install triton")
