"""Compiles Triton kernels ahead of time, without a device, and reads what came of them."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from spikeframe.kernels import triton as engine
from spikeframe.kernels import triton_launch
from spikeframe.kernels.cache import traced

__all__ = ["THIN", "Report", "check", "check_loop", "compile_for", "launches", "report"]

H200 = 132

APPROXIMATE = re.compile(r"(?:div\.(?:approx|full)|rcp\.approx|sqrt\.approx)\S*|\S+\.ftz\S*")


@dataclass
class Report:
    """What a compiled kernel uses; widths in bits of each access of a thread."""

    name: str
    registers: int
    stack: int  # bytes of each thread: spills, or arrays with a computed index
    loads: set[int]
    stores: set[int]
    loop: list[str]  # the instructions of the loop over time
    approximate: list[str]
    fused: int  # fused multiply-adds, but for those within a division
    ttir: str


def launches(node, dtype, kinds=None, differentiated=(), gradient=True, n=1):
    """The kernels of a node, forward and backward, over many neurons."""
    known = traced(node, n, dtype.itemsize == 8)
    wanted = tuple(differentiated) if gradient else None
    program = known.program((), wanted, gradient and dtype.itemsize == 2)
    found = []
    kinds = kinds or ("number",) * len(known.trace.parameters)
    engine.rehearse(found.append, program, kinds, dtype)
    return found


def _full(run):
    """The shape of a kernel over many neurons."""
    return triton_launch.shape_of(run.layout, H200)


THIN = triton_launch.Shape(block=64, warps=2, ahead=4)


def compile_for(run, shape=None, arch=90, **options):
    """The kernel of a launch, compiled for sm_<arch> as a launch there would compile it."""
    import triton
    from triton._C.libtriton import native_specialize_impl
    from triton.backends.compiler import GPUTarget
    from triton.backends.nvidia.compiler import CUDABackend
    from triton.compiler import ASTSource

    shape = shape or _full(run)
    kernel = triton_launch.compiled(run, shape.ahead)
    values = run.arguments | run.constants(shape.block)
    target = GPUTarget("cuda", arch, 32)
    backend = CUDABackend(target)
    signature, constants, attributes = {}, {}, {}
    for p in kernel.params:
        kind, key = "constexpr", None
        if not p.is_constexpr:
            aligned = not p.do_not_specialize
            kind, key = native_specialize_impl(backend, values[p.name], False, aligned, True)
        if p.annotation_type and kind != "constexpr":
            kind = p.annotation_type
        signature[p.name] = kind
        if kind == "constexpr":
            constants[(p.num,)] = values[p.name]
        elif isinstance(key, str):
            attributes[(p.num,)] = backend.parse_attr(key)
    source = ASTSource(kernel, signature, constants, attributes)
    return triton.compile(source, target=target, options=shape.options | options)


def report(compiled, folder, disassembled=True):
    """Read a compiled kernel with the tools that come with Triton.

    Arguments:
        compiled: The kernel.
        folder: A place for files.
        disassembled: Whether its instructions are read, too, which takes longer.
    """
    cubin = Path(folder) / "kernel.cubin"
    cubin.write_bytes(compiled.asm["cubin"])
    usage = re.search(
        r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", _tool("cuobjdump", "-res-usage", cubin)
    )
    ptx = compiled.asm["ptx"]
    loop = _loop(_tool("nvdisasm", "-c", cubin)) if disassembled else []
    return Report(
        name=compiled.metadata.name,
        registers=int(usage[1]),
        stack=int(usage[2]) + int(usage[3]),
        loads=_widths(re.findall(r"\bld\.global\S*", ptx)),
        stores=_widths(re.findall(r"\bst\.global\S*", ptx)),
        loop=loop,
        approximate=APPROXIMATE.findall(ptx),
        fused=len(re.findall(r"\bfma\.", ptx)),
        ttir=compiled.asm["ttir"],
    )


def check(found, loads=(128,), stores=(128,), registers=168):
    """What every kernel must keep to.

    Arguments:
        found: The report.
        loads: Widths of its loads.
        stores: Widths of its stores.
        registers: Most registers; with 168, a processor runs 12 warps at once.
    """
    assert found.stack == 0, f"{found.name} spills {found.stack} bytes"
    assert found.registers <= registers, f"{found.name} has {found.registers} registers"
    assert found.loads == set(loads), f"{found.name} loads {found.loads} bits"
    assert found.stores == set(stores), f"{found.name} stores {found.stores} bits"
    assert not found.approximate, f"{found.name} has approximate {found.approximate}"
    # An offset of 32 bits would be too small for some sequences.
    rows = re.findall(r"tt\.addptr %\w+_ptr, \S+ : !tt\.ptr<\w+>, (\w+)", found.ttir)
    assert set(rows) == {"i64"}, f"{found.name} counts rows by {rows}"


def check_loop(found):
    """What the loop over time must keep to.

    Arguments:
        found: The report of a kernel that was disassembled.
    """
    names = [name.split(".")[0] for name in found.loop]
    assert not {"LDL", "STL"} & set(names), f"{found.name} has spills in the loop"
    # Through shared memory, threads hand each other values where they disagree who has which.
    assert not {"LDS", "STS", "BAR"} & set(names), f"{found.name} has shared memory in the loop"
    assert names.index("LDG") < names.index("STG"), f"in {found.name} a load waits for a store"


def _tool(name, *arguments):
    import triton.backends.nvidia as nvidia

    path = Path(nvidia.__file__).parent / "bin" / name
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _widths(accesses):
    """Bits of the accesses of a thread in PTX: 128 for ld.global.v4.b32."""
    pattern = re.compile(r"(?:\.v(\d))?\.[bfsu](\d+)$")
    found = (pattern.search(access) for access in accesses)
    return {int(width[1] or 1) * int(width[2]) for width in found}


def _loop(text):
    """The names of the instructions from a label to the last branch back to it."""
    lines = re.findall(r"^\s*(\.L_\w+):|^\s+/\*[0-9a-f]{4,}\*/\s+(.*?);", text, re.M)
    labels, names, loops = {}, [], [[]]
    for label, instruction in lines:
        if label:
            labels[label] = len(names)
            continue
        names.append(re.sub(r"^@!?U?P\w+\s+", "", instruction).split()[0])
        target = re.search(r"\bBRA\b.*\((\.L_\w+)\)", instruction)
        if target and target[1] in labels:
            loops.append(names[labels[target[1]] :])
    return max(loops, key=len)
