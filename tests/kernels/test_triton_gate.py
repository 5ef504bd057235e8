"""Triton kernels compile for each generation of devices into what they were meant to be.

Nothing runs here: what is read is what the compiler and the assembler made.
"""

import pytest
import torch
from cases import DTYPES
from foreign_neurons import Refractory
from spikeframe.kernels import triton as engine
from spikeframe.kernels import triton_launch, triton_source
from spikeframe.kernels.program import Code, Line, Program

from spikeframe import neuron, surrogate

pytest.importorskip("triton", reason="triton is not installed")

import gate

ATAN = surrogate.ATan()

# Name, node, dtypes, kinds of its parameters, those that get a gradient.
CASES = (
    ("hard", neuron.LIFNode(surrogate_function=ATAN), DTYPES, None, ()),
    (
        "soft",
        neuron.LIFNode(v_reset=None, surrogate_function=ATAN),
        (torch.float32, torch.float16),
        None,
        (),
    ),
    (
        "learned",
        neuron.ParametricLIFNode(surrogate_function=ATAN),
        (torch.float32, torch.float16),
        ("number", "scalar", *("number",) * 5),
        (1,),
    ),
    (
        "user's",
        Refractory(),
        (torch.float32, torch.bfloat16),
        ("array", *("number",) * 3),
        (0,),
    ),
)
ROWS = [
    pytest.param(*case[1:2], dtype, *case[3:], id=f"{case[0]}-{str(dtype)[6:]}")
    for case in CASES
    for dtype in case[2]
]


@pytest.fixture(autouse=True, scope="module")
def _apart(tmp_path_factory):
    """Compile into a folder of the tests'."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))
        yield


def widths(run):
    """Of loads and of stores, for a thread that has as many neurons as an access."""
    bits = 8 * run.unit if "bit" in run.program.saved else 128
    if run.name == "forward":
        return {128} | narrow(run), {128, bits}
    return {128, bits} | narrow(run), {128}


def narrow(run):
    """Of loads of parameters, before the loop."""
    code = run.program.forward if run.name == "forward" else run.program.backward
    used = {operand for line in code.lines for operand in line.operands}
    in_memory = (f"p{i}" for i, kind in enumerate(run.kinds) if kind != "number")
    return set() if used.isdisjoint(in_memory) else {32}


@pytest.mark.parametrize(("node", "dtype", "kinds", "differentiated"), ROWS)
def test_training_kernels(node, dtype, kinds, differentiated, tmp_path):
    for run in gate.launches(node, dtype, kinds, differentiated):
        found = gate.report(gate.compile_for(run), tmp_path)
        gate.check(found, *widths(run))
        gate.check_loop(found)
        assert found.fused == 0
        for arch in (80, 100):
            compiled = gate.compile_for(run, arch=arch)
            gate.check(gate.report(compiled, tmp_path, disassembled=False), *widths(run))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_without_a_gradient_a_kernel_writes_spikes_and_the_last_state(dtype, tmp_path):
    (run,) = gate.launches(neuron.LIFNode(), dtype, gradient=False)
    for arch in (80, 90, 100):
        found = gate.report(gate.compile_for(run, arch=arch), tmp_path, arch == 90)
        gate.check(found, registers=64)
    assert sum(name.startswith("STG") for name in found.loop or ["STG"]) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_few_neurons_are_spread_thinly(dtype, tmp_path):
    """One neuron a thread, four steps ahead: four loads before the loop, the fifth within."""
    bits = 8 * dtype.itemsize
    forward, backward = gate.launches(neuron.LIFNode(v_reset=None), dtype)
    for run, loads in ((forward, {bits, 32}), (backward, {bits})):
        found = gate.report(gate.compile_for(run, gate.THIN), tmp_path)
        gate.check(found, loads, {bits, 32}, registers=64)
        gate.check_loop(found)


def test_exp_in_gradients_is_the_only_one_that_fuses(tmp_path):
    forward, backward = gate.launches(
        neuron.LIFNode(surrogate_function=surrogate.Sigmoid()), torch.float32
    )
    assert gate.report(gate.compile_for(forward), tmp_path, False).fused == 0
    found = gate.report(gate.compile_for(backward), tmp_path, False)
    assert found.fused == 2 * backward.unit
    gate.check(found)


@pytest.mark.parametrize("storage", ["float32", "float64"])
def test_every_operation_compiles(storage, tmp_path):
    names = ("add", "sub", "mul", "div", "maximum", "minimum")
    lines = [Line(f"t{i}", name, ("x0", "p0")) for i, name in enumerate(names)]
    lines += [
        Line(f"c{i}", op, ("x0", 0.3)) for i, op in enumerate(("lt", "le", "gt", "ge", "eq"))
    ]
    lines += [
        Line("c5", "ne", ("x0", "x1")),
        Line("c6", "and", ("c0", "c1")),
        Line("c7", "or", ("c2", "c6")),
        Line("c8", "not", ("c7",)),
        Line("w", "where", ("c8", "t0", 0.1)),
        Line("f", "float", ("c3",)),
    ]
    unary = sorted(set(triton_source.OPERATIONS) - {*names, "where", "float"})
    lines += [Line(f"u{i}", op, ("w",)) for i, op in enumerate(unary)]
    outputs = [line.target for line in lines if line.target[0] != "c"]
    # What is handed on may be a number, a parameter, or a truth value: states stay what they are.
    states = [0.5, "p0", "c0"]
    program = Program(2, len(states), 1, Code(tuple(lines), (*outputs, *states)), len(outputs))
    runs = []
    engine.rehearse(runs.append, program, ("number",), getattr(torch, storage))
    text = triton_launch.text_of(program, ("number",), getattr(torch, storage), 1)
    assert all(f"{line.target} = " in text for line in lines)
    shape = gate.THIN
    found = gate.report(gate.compile_for(runs[0], shape), tmp_path, False)
    assert found.stores == {8 * getattr(torch, storage).itemsize}
    # Of float64, only the library's log has one, of which it refines the result.
    assert set(found.approximate) <= ({"rcp.approx.ftz.f64"} if storage == "float64" else set())


# The gate itself: what it must not let through.


def lif(dtype=torch.float32):
    return gate.launches(neuron.LIFNode(surrogate_function=ATAN), dtype)[0]


def test_the_gate_sees_narrow_accesses(tmp_path):
    run = lif(torch.float16)
    half = triton_launch.Shape(block=512, warps=4, ahead=1)
    found = gate.report(gate.compile_for(run, half), tmp_path, False)
    with pytest.raises(AssertionError, match="loads {(128, 64|64, 128)} bits"):
        gate.check(found, *widths(run))
    run.arguments["N"] += 1
    anywhere = triton_launch.Launch(**{**vars(run), "unit": 1})
    found = gate.report(gate.compile_for(anywhere), tmp_path, False)
    with pytest.raises(AssertionError, match="loads {16, 32} bits|loads {32, 16} bits"):
        gate.check(found, *widths(run))


def test_the_gate_sees_spills(tmp_path):
    found = gate.report(gate.compile_for(lif(), maxnreg=24), tmp_path)
    with pytest.raises(AssertionError, match="forward spills"):
        gate.check(found)
    wide = triton_launch.Shape(block=2048, warps=1, ahead=1)
    with pytest.raises(AssertionError, match="spills|registers"):
        gate.check(gate.report(gate.compile_for(lif(), wide), tmp_path, False))


def test_the_gate_sees_contraction_and_approximation(tmp_path, monkeypatch):
    found = gate.report(gate.compile_for(lif(), enable_fp_fusion=True), tmp_path, False)
    assert found.fused > 0
    monkeypatch.setitem(triton_source.OPERATIONS, "div", "{0} / {1}")
    code = Code((Line("t0", "div", (0.987, "x0")),), ("t0",))
    runs = []
    engine.rehearse(runs.append, Program(1, 0, 0, code, 1), (), torch.float32)
    found = gate.report(gate.compile_for(runs[0]), tmp_path, False)
    with pytest.raises(AssertionError, match=r"approximate \['div.full"):
        gate.check(found)


def test_the_gate_sees_rows_counted_in_32_bits(tmp_path):
    found = gate.report(gate.compile_for(lif()), tmp_path, False)
    found.ttir = found.ttir.replace(", i64", ", i32")
    with pytest.raises(AssertionError, match="counts rows by"):
        gate.check(found)
