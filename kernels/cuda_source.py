"""Prints a program as CUDA C++: a thread has a few neurons, and the loop over time inside.

States stay in registers through all of time. The next step's rows are fetched before a step is
computed: nothing that a step writes may be read by the next, which the compiler cannot know.
"""

import functools
from collections.abc import Sequence

from .c_source import Kernel, literal
from .cuda_preamble import STORAGE, preamble
from .program import Line, Program
from .template import filled, indented

__all__ = ["divisors", "source", "widest"]

# Registers of a thread for what it carries through time; there are 255 in all.
MOST_CARRIED = 128

KERNEL = """
extern "C" __global__ void @NAME@(
    const long long T, const long long M@ARGUMENTS@) {
  const long long at = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W;
  if (at >= M) return;
  const int steps = (int)T;
@ENTER@
  for (int i = 0; i < steps; ++i) {
    const int t = @TIME@;
    const bool more = i + 1 < steps;
@STEP@
#pragma unroll
    for (int l = 0; l < W; ++l) {
@BODY@
    }
@PUT@
  }
@LEAVE@
}
"""


def source(program: Program, kinds: Sequence[str], storage: str, name: str, width: int) -> str:
    """The CUDA C++ of one direction of a program.

    Arguments:
        program: The step.
        kinds: For each parameter, "number", "power" (a number, a power of two), "one" (an array
            of one value) or "many" (an array, per neuron or channel).
        storage: The dtype of inputs and outputs, a key of STORAGE.
        name: "forward" or "backward".
        width: How many neurons one thread has.
    """
    kernel = _Kernel(program, kinds)
    if name == "forward":
        return preamble(storage, width) + kernel.forward()
    if program.backward is None:
        raise ValueError("the program has no backward")
    return preamble(storage, width) + kernel.backward(program.backward)


@functools.cache
def widest(program: Program, kinds: Sequence[str], storage: str, name: str) -> int:
    """How many neurons one thread may have: 16 bytes of a sequence, fewer where registers end."""
    width, words = {"Half": (8, 1), "float": (4, 1), "double": (2, 2)}[STORAGE[storage][0]]
    carried = program.n_states + kinds.count("many")
    if name == "backward":
        carried += len(program.differentiated)
    while width > 1 and width * words * carried > MOST_CARRIED:
        width //= 2
    return width


@functools.cache
def divisors(program: Program) -> frozenset[int]:
    """The parameters by which a program divides."""
    backward = program.backward.lines if program.backward is not None else ()
    names = {line.operands[1] for line in (*program.forward.lines, *backward) if line.op == "div"}
    return frozenset(i for i in range(program.n_parameters) if f"p{i}" in names)


class _Kernel(Kernel):
    """A kernel whose arguments ``cuda.py`` passes one by one, in the order of these calls."""

    def __init__(self, program: Program, kinds: Sequence[str]) -> None:
        super().__init__(program)
        self.kinds = kinds
        self.arguments: list[str] = []
        self.enter: list[str] = []
        self.step: list[str] = []
        self.put: list[str] = []
        self.leave: list[str] = []

    def _read(self, name: str) -> None:
        """In step order; cotangents that nobody gave are null, and 0."""
        self.arguments += [f"const S* __restrict__ base_{name}", f"const long long stride_{name}"]
        start, there = f"base_{name} += at + @FIRST@ * stride_{name};", ""
        if name[0] == "g":
            self.enter.append(f"const bool has_{name} = base_{name};")
            there = f"has_{name}"
        self.enter += [
            f"Row<S> next_{name} = {{}};",
            _if(there, f"{start} next_{name} = load(base_{name});"),
        ]
        self.step += [
            f"const Row<S> row_{name} = next_{name};",
            f"base_{name} @ON@= stride_{name};",
            _if(f"more & {there}" if there else "more", f"next_{name} = load(base_{name});"),
        ]
        self.body.append(f"const R {name} = get(row_{name}, l);")

    def _write(self, name: str) -> None:
        self.arguments.append(f"S* __restrict__ base_{name}")
        self.enter.append(f"base_{name} += at + @FIRST@ * M;")
        self.step.append(f"R row_{name}[W];")
        put = "keep" if name[0] == "s" else "store"
        self.put += [f"{put}(base_{name}, row_{name});", f"base_{name} @ON@= M;"]

    def _read_bits(self, name: str) -> None:
        """Backwards, eight steps at a time; the eight before are fetched meanwhile."""
        self.arguments += [
            f"const unsigned char* __restrict__ base_{name}",
            f"const long long stride_{name}",
        ]
        self.enter += [
            f"base_{name} += at + (@FIRST@ >> 3) * stride_{name};",
            f"Bits bits_{name} = {{}}, next_{name} = *(const Bits*)base_{name};",
        ]
        fetch = f"if (t >= 8) next_{name} = *(const Bits*)(base_{name} -= stride_{name});"
        self.step.append(f"if ((t & 7) == 7 || i == 0) {{ bits_{name} = next_{name}; {fetch} }}")
        self.body.append(f"const bool {name} = bit(bits_{name}, l, t);")

    def _write_bits(self, name: str) -> None:
        self.arguments.append(f"unsigned char* __restrict__ base_{name}")
        self.enter += [f"base_{name} += at;", f"Bits bits_{name} = {{}};"]
        put = f"*(Bits*)base_{name} = bits_{name}; base_{name} += M; bits_{name} = {{}};"
        self.put.append(f"if ((t & 7) == 7 || !more) {{ {put} }}")

    def _store_value(self, name: str, result: str) -> None:
        """Its range is looked after by the row."""
        self.body.append(f"row_{name}[l] = {result};")

    def _store_bit(self, name: str, result: str) -> None:
        self.body.append(f"set_bit(bits_{name}, l, t, {result});")

    def _state(self, name: str) -> None:
        self.arguments += [
            f"const R* __restrict__ first_{name}",
            f"R* __restrict__ last_{name}",
        ]
        self.enter += [f"R array_{name}[W];", f"enter(array_{name}, first_{name}, at);"]
        self.leave.append(f"store(last_{name} + at, array_{name});")

    def _parameters(self) -> None:
        for i, kind in enumerate(self.kinds):
            if kind == "many":
                self.arguments += [
                    f"const R* __restrict__ values_p{i}",
                    f"const long long inner_p{i}",
                    f"const long long size_p{i}",
                ]
                spread = f"spread(array_p{i}, values_p{i}, inner_p{i}, size_p{i}, at);"
                self.enter += [f"R array_p{i}[W];", spread]
                self.body.append(f"const R p{i} = array_p{i}[l];")
            elif kind == "one":
                self.arguments.append(f"const R* __restrict__ values_p{i}")
                self.enter.append(f"const R p{i} = *values_p{i};")
            else:
                self.arguments.append(f"const R p{i}")
                if kind == "power":
                    self.enter.append(f"const R over_p{i} = R(1) / p{i};")

    def _expression(self, line: Line) -> str:
        """Division by a power of two is multiplication by one: the same bits, a tenth the work."""
        if line.op == "div" and self._is_power(line.operands[1]):
            return f"{literal(line.operands[0])} * over_{line.operands[1]}"
        return super()._expression(line)

    def _is_power(self, operand: str | float) -> bool:
        return any(kind == "power" and operand == f"p{i}" for i, kind in enumerate(self.kinds))

    def _total(self, name: str) -> None:
        self.arguments.append(f"R* __restrict__ base_{name}")
        self.enter.append(f"R array_{name}[W] = {{}};")
        self.leave.append(f"store(base_{name} + at, array_{name});")

    def _text(self, name: str) -> str:
        time, first, on = ("i", "0", "+") if name == "forward" else ("T - 1 - i", "(T - 1)", "-")
        pieces = {
            "ARGUMENTS": "".join(f",\n    {argument}" for argument in self.arguments),
            "ENTER": indented(self.enter, 2),
            "STEP": indented(self.step, 4),
            "BODY": indented(self.body, 6),
            "PUT": indented(self.put, 4),
            "LEAVE": indented(self.leave, 2),
            "NAME": name,
            "TIME": time,
            "FIRST": first,
            "ON": on,
        }
        return filled(KERNEL, pieces)


def _if(condition: str, then: str) -> str:
    return f"if ({condition}) {{ {then} }}" if condition else then
