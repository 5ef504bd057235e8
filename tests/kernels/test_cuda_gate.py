"""What CUDA kernels compile to, asserted without a device.

NVRTC compiles for three architectures; its assembler's log tells registers and spills, the PTX
the accesses and the arithmetic, and the machine code is looked at where Triton's disassembler is.
Each assertion is shown to fail on a kernel that is wrong.
"""

import functools
import importlib.util
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
import torch
from cases import NEURONS
from foreign_neurons import Refractory, TwoInputs
from spikeframe.kernels import nvrtc
from spikeframe.kernels.build import BuildError
from spikeframe.kernels.cache import traced
from spikeframe.kernels.cuda_source import divisors, source, widest

from spikeframe import neuron, surrogate

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
STORAGE = ("float32", "float64", "bfloat16", "float16")
NAMES = ("forward", "backward")

# Functions that are no single rounding, and are made of fma.
SMOOTH = frozenset({"exp", "log", "sin", "cos", "sigmoid", "tanh"})

# More would leave too few threads on a multiprocessor to keep its memory busy.
MOST_REGISTERS = 168


def _why_not():
    try:
        nvrtc.version()
    except BuildError as error:
        return str(error)
    return None


pytestmark = pytest.mark.skipif(_why_not() is not None, reason=str(_why_not()))


def program_of(node, storage="float32", backward=True, learned=False):
    known = traced(node, getattr(node, "n_inputs", 1), storage == "float64")
    every = tuple(range(len(known.trace.parameters))) if learned else ()
    return known.program((), every if backward else None, getattr(torch, storage).itemsize == 2)


def text_of(program, storage, name, kind="number", width=None):
    kinds = tuple(
        "power" if kind == "number" and i in divisors(program) else kind
        for i in range(program.n_parameters)
    )
    return source(program, kinds, storage, name, width or widest(program, kinds, storage, name))


@functools.cache
def compiled(text, target="sm_90", options=()):
    return nvrtc.compile_cuda(text, target, ("--ptxas-options=-v", *options))


def registers(log):
    return int(re.search(r"Used (\d+) registers", log)[1])


def spills(log):
    """Bytes of the stack, spilled, and loaded again."""
    found = re.search(
        r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log
    )
    return tuple(map(int, found.groups()))


def accesses(ptx):
    """The widths of the accesses of global memory, in bytes."""
    found = re.findall(r"\b(?:ld|st)\.global(?:\.nc)?(?:\.v(\d))?\.[a-z](\d+)", ptx)
    return {int(count or 1) * int(bits) // 8 for count, bits in found}


def inexact(ptx):
    """Operations that round otherwise than the CPU's: approximate, contracted, without subnormals.

    float64's division and square root are made of fma, with the result that IEEE 754 wants.
    """
    approximate = r"\b(?:div|sqrt|rcp|rsqrt)\.(?:approx|full)\S*"
    return re.findall(rf"{approximate}|\b(?:fma|mad)\.\S*f\d\d|\b\S+\.ftz\.\S*", ptx)


def check(text, target="sm_90", options=(), widths=frozenset({16})):
    """The gate."""
    result = compiled(text, target, options)
    assert spills(result.log) == (0, 0, 0)
    assert registers(result.log) <= MOST_REGISTERS
    assert ".local" not in result.ptx
    assert accesses(result.ptx) <= widths
    assert 16 in accesses(result.ptx)


def widths_of(program, storage, name, kind):
    """16 bytes, but for a byte per neuron where bits are saved, and parameters one by one."""
    element = 8 if storage == "float64" else 4
    bits = {widest(program, (), storage, name)} if "bit" in program.saved else set()
    return {16} | bits | (set() if kind == "number" else {element})


@pytest.mark.parametrize("case", NEURONS, ids=str)
def test_every_neuron(case):
    """With a gradient of every parameter, in the storage that asks for most registers."""
    node = case(surrogate_function=surrogate.ATan(), v_reset=-0.1)
    program = program_of(node, "bfloat16", learned=True)
    for name in NAMES:
        widths = widths_of(program, "bfloat16", name, "number")
        check(text_of(program, "bfloat16", name), widths=widths)
    step = program_of(node, backward=False)
    if SMOOTH.isdisjoint(line.op for line in step.forward.lines):
        assert not inexact(compiled(text_of(step, "float32", "forward")).ptx)


@pytest.mark.parametrize("target", ARCHITECTURES)
@pytest.mark.parametrize("storage", STORAGE)
def test_every_architecture_and_storage(target, storage):
    node = neuron.LIFNode(surrogate_function=surrogate.ATan())
    program = program_of(node, storage)
    for name in NAMES:
        text = text_of(program, storage, name)
        check(text, target, widths=widths_of(program, storage, name, "number"))
        assert not inexact(compiled(text, target).ptx)
    text = text_of(program_of(node, storage, backward=False), storage, "forward")
    check(text, target)


@pytest.mark.parametrize("target", ARCHITECTURES)
@pytest.mark.parametrize("make", [Refractory, TwoInputs])
def test_neurons_of_users_with_parameters_per_channel(make, target):
    storage = "float32" if target == "sm_80" else "bfloat16"
    program = program_of(make(), storage, learned=True)
    for name in NAMES:
        text = text_of(program, storage, name, "many")
        check(text, target, widths=widths_of(program, storage, name, "many"))


@pytest.mark.parametrize("width", [1, 2, 4])
def test_narrow_rows_compile(width):
    program = program_of(neuron.LIFNode(), "float16")
    for name in NAMES:
        result = compiled(text_of(program, "float16", name, "one", width))
        assert spills(result.log) == (0, 0, 0)


def test_the_gate_sees_a_narrow_access():
    program = program_of(neuron.LIFNode())
    text = text_of(program, "float32", "forward", width=1)
    with pytest.raises(AssertionError, match=r"assert \{4\} <="):
        check(text)


def test_the_gate_sees_spills():
    program = program_of(Refractory(), "bfloat16", learned=True)
    text = text_of(program, "bfloat16", "backward", "many")
    widths = widths_of(program, "bfloat16", "backward", "many")
    check(text, widths=widths)
    with pytest.raises(AssertionError, match=r"== \(0, 0, 0\)"):
        check(text, options=("--maxrregcount=40",), widths=widths)


def test_the_gate_sees_local_memory():
    """CUDA's sine has a table of its own for large numbers."""

    class Sine(neuron.BaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + torch.sin(x)

    text = text_of(program_of(Sine(), backward=False), "float32", "forward")
    with pytest.raises(AssertionError, match=r"== \(0, 0, 0\)"):
        check(text)


@pytest.mark.parametrize(
    ("option", "seen"),
    [
        ("--fmad=true", "fma.rn.f32"),
        ("--prec-div=false", "div.full.f32"),
        ("--prec-sqrt=false", "sqrt.approx.f32"),
        ("--ftz=true", "add.rn.ftz.f32"),  # CuPy's own, hence NVRTC is asked without it
    ],
)
def test_the_gate_sees_inexact_operations(option, seen):
    class Rooted(neuron.BaseNode):
        def neuronal_charge(self, x):
            self.v = self.v + torch.sqrt(x * x + self.v * self.v) / (x + 2.0)

    text = text_of(program_of(Rooted(), backward=False), "float32", "forward")
    assert not inexact(compiled(text).ptx)
    assert seen in inexact(compiled(text, options=(option,)).ptx)


def _disassembler():
    spec = importlib.util.find_spec("triton")
    found = Path(spec.origin).parent / "backends/nvidia/bin/nvdisasm" if spec else Path("/none")
    return found if found.exists() else None


needs_disassembler = pytest.mark.skipif(
    _disassembler() is None, reason="no nvdisasm, which Triton brings"
)


@functools.cache
def machine_code(text):
    """The instructions of a kernel, and labels."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled(text).binary)
        file.flush()
        command = [_disassembler(), "-c", file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = re.findall(r"^(\.L\w+:)|/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;", done.stdout, re.MULTILINE)
    return [label or instruction for label, instruction in lines]


def waited_for(code):
    """The loads of a loop over time whose values the same round of it computes with."""
    branches = [i for i, line in enumerate(code) if re.search(r"\bBRA\b.*\.L", line)]
    starts = {i: code.index(re.search(r"\.L\w+", code[i])[0] + ":") for i in branches}
    end = max((i for i, start in starts.items() if start < i), key=lambda i: i - starts[i])
    found, loads = [], 0
    for i in range(starts[end], end):
        load = re.search(r"\bLDG\.E\.128\S* R(\d+),", code[i])
        if load is not None:
            loads += 1
            first = int(load[1])
            read = re.compile("|".join(rf"\bR{first + k}\b" for k in range(4)))
            rest = [line for line in code[i + 1 : end] if "MOV" not in line]
            found += [code[i] for line in rest if read.search(line)][:1]
    assert loads
    return found


@needs_disassembler
@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
def test_machine_code_has_whole_accesses_of_global_memory_alone(storage):
    node = neuron.LIFNode(surrogate_function=surrogate.ATan())
    program = program_of(node, storage)
    for name, bits in (("forward", "STG.E.64"), ("backward", "LDG.E.64")):
        code = machine_code(text_of(program, storage, name))
        opcodes = {word for line in code for word in line.split()[:2]}
        wide = {op.removesuffix(".CONSTANT") for op in opcodes if op.startswith(("LDG", "STG"))}
        kept = {bits} if "bit" in program.saved else set()
        assert wide == {"LDG.E.128", "STG.E.128"} | kept
        assert not [op for op in opcodes if op.startswith(("LDL", "STL"))]


@needs_disassembler
def test_a_step_is_fetched_while_the_one_before_is_computed():
    program = program_of(neuron.LIFNode(surrogate_function=surrogate.ATan()), "bfloat16")
    for name in NAMES:
        assert not waited_for(machine_code(text_of(program, "bfloat16", name)))
    text = text_of(program, "bfloat16", "forward")
    late = text.replace("row_x0 = next_x0;", "row_x0 = load(base_x0);")
    assert late != text
    assert waited_for(machine_code(late))
