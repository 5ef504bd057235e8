"""Prints a program as Triton: a block of neurons per program, the loop over time inside.

A block's states stay in registers through all of time. What a step reads is fetched some steps
ahead, before anything that depends on the step now: the recurrence would wait for it otherwise.
"""

import ctypes
import re
from collections.abc import Collection, Sequence
from itertools import pairwise

import torch

from .program import Code, Program
from .simplify import decisive_ancestors
from .template import filled, indented
from .triton_preamble import preamble

__all__ = ["CONSTANTS", "source"]

# Neurons of which all distances are counted, neurons of a program, and the dtype of an index.
CONSTANTS = ("UNIT", "BLOCK", "INDEX")

OPERATIONS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "divide_({0}, {1})",
    # 0 - x, which - prints in some versions, has another sign at 0.
    "neg": "{0} * -1.0",
    "abs": "tl.abs({0})",
    "exp": "exp_({0})",
    "log": "tl.log({0})",
    "sqrt": "sqrt_({0})",
    "sin": "tl.sin({0})",
    "cos": "tl.cos({0})",
    "sigmoid": "sigmoid_({0})",
    "tanh": "tanh_({0})",
    "maximum": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "minimum": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})",
    "relu": "relu_({0})",
    "round": "round_({0})",
    "floor": "tl.floor({0})",
    "ceil": "tl.ceil({0})",
    "sign": "sign_({0})",
    "where": "tl.where({0}, {1}, {2})",
    "float": "tl.cast({0}, @REAL@)",
}

# In gradients, which may round otherwise than eager's do.
LOOSE = {"exp": "near_exp_({0})", "sigmoid": "near_sigmoid_({0})"}

PREDICATES = {
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "not": "~{0}",
}

# Loads without `other` leave lanes outside undefined; nothing of theirs is ever stored.
KERNEL = """

def @NAME@(@ARGUMENTS@):
    size = tl.cast(N, tl.int64) * UNIT
    at = tl.cast(tl.program_id(0), INDEX) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
@ENTER@
    for i in range(T):
        t = @TIME@
        more = at < tl.where(@MORE@, size, 0)
@BODY@
@LEAVE@
"""


def source(program: Program, kinds: Sequence[str], storage: str, ahead: int) -> str:
    """The Triton of a program: functions ``forward`` and ``backward``.

    Arguments:
        program: The step.
        kinds: For each parameter "number", "scalar" (one value in memory) or "array".
        storage: The dtype of inputs and outputs.
        ahead: How many steps ahead inputs are fetched.
    """
    text = _Kernel(program, kinds, storage, ahead).forward()
    if program.backward is not None:
        text += _Kernel(program, kinds, storage, ahead).backward(program.backward)
    double = storage == "float64"
    names = dict.fromkeys(re.findall(r"\b[a-z_]+_(?=\()", text))
    text = preamble(names, double) + text
    return text.replace("@REAL@", "tl.float64" if double else "tl.float32")


class _Kernel:
    """Collects the pieces of one kernel, whose arguments have the names of the program's values.

    A sequence ``x0`` is ``x0_ptr``, with ``x0_step`` units from one step to the next where that
    varies; a carried value ``v0`` is ``v0_first`` and ``v0_last``.
    """

    def __init__(self, program: Program, kinds: Sequence[str], storage: str, ahead: int) -> None:
        self.program, self.kinds, self.storage, self.ahead = program, kinds, storage, ahead
        self.arguments = ["T: tl.int32", "N: tl.int64"]
        self.enter: list[str] = []
        self.body: list[str] = []
        self.leave: list[str] = []
        self.uniform: set[str] = set()
        self.truths: set[str] = set()
        self.numbers: dict[str, str] = {}

    def forward(self) -> str:
        """From inputs and states to outputs, saved values and the last states."""
        p = self.program
        self._parameters()
        self._carried("v", p.n_states)
        for i in range(p.n_inputs):
            self._read(f"x{i}")
        results = self._code(p.forward, {line.target for line in p.forward.lines})
        n, m = p.n_outputs, p.n_states
        for i, result in enumerate(results[:n]):
            self._write(f"o{i}", result)
        bits = []
        for i, (kind, result) in enumerate(zip(p.saved, results[n + m :], strict=True)):
            if kind == "bit":
                bits.append((f"k{i}", result))
            else:
                self._save(f"k{i}", result)
        for i in range(0, len(bits), 4):
            self._write_bits(bits[i : i + 4])
        self._carry("v", results[n : n + m])
        return self._text("forward", backward=False)

    def backward(self, code: Code) -> str:
        """From cotangents and what was saved to the cotangents of inputs, states, parameters."""
        p = self.program
        self._parameters()
        self._carried("c", p.n_states)
        for i, kind in enumerate(p.saved):
            self._read_bit(f"k{i}") if kind == "bit" else self._read(f"k{i}")
        for name in (*(f"g{i}" for i in range(p.n_outputs)), *(f"x{i}" for i in p.saved_inputs)):
            self._read(name)
        results = self._code(code, decisive_ancestors(code))
        n, m = p.n_inputs, p.n_states
        for i, result in enumerate(results[:n]):
            self._write(f"d{i}", result)
        for i, result in enumerate(results[n + m :]):
            self._total(f"total{i}", result)
        self._carry("c", results[n : n + m])
        return self._text("backward", backward=True)

    def _parameters(self) -> None:
        for i, kind in enumerate(self.kinds):
            name = f"p{i}"
            if kind != "array":
                self.uniform.add(name)
            if kind == "number":
                self.arguments.append(f"{name}_number: @REAL@")
                self.enter.append(f"{name} = tl.full((), {name}_number, @REAL@)")
                continue
            self.arguments.append(f"{name}_ptr")
            if kind == "scalar":
                self.enter.append(f"{name} = tl.load({name}_ptr)")
                continue
            self.arguments += [f"{name}_inner: tl.int64", f"{name}_size: tl.int64"]
            index = f"at // tl.cast({name}_inner, INDEX) % tl.cast({name}_size, INDEX)"
            self.enter.append(f"{name} = tl.load({name}_ptr + {index}, mask=inside)")

    def _carried(self, kind: str, count: int) -> None:
        """What a step hands to the next: before the first (None for 0), after the last."""
        for name in (f"{kind}{i}" for i in range(count)):
            self.arguments += [f"{name}_first", f"{name}_last"]
            self.enter += [
                f"if {name}_first is None:",
                f"    {name}_now = tl.full([BLOCK], 0.0, @REAL@)",
                "else:",
                f"    {name}_now = tl.load({name}_first + at, mask=inside)",
            ]
            self.body.append(f"{name} = {name}_now")
            self.leave.append(f"tl.store({name}_last + at, {name}_now, mask=inside)")

    def _read(self, name: str) -> None:
        """A sequence in step order, fetched ahead; None for zeros."""
        queue = [f"{name}_{j}" for j in range(1, self.ahead + 1)]
        self.arguments += [f"{name}_ptr", f"{name}_step: tl.int64"]
        load = "tl.load({0}_ptr + {0}_row + at, mask={1})".format
        self.enter += [
            f"{name}_stride = tl.cast({name}_step, tl.int64) * UNIT",
            f"{name}_row = @START@ * {name}_stride",
            f"if {name}_ptr is not None:",
        ]
        for j, fetched in enumerate(queue):
            mask = f"at < tl.where({j} < T, size, 0)" if j else "inside"
            self.enter += [
                f"    {fetched} = {load(name, mask)}",
                f"    {name}_row += @SIGN@{name}_stride",
            ]
        self.body += [
            f"if {name}_ptr is None:",
            f"    {name} = tl.full([BLOCK], 0.0, @REAL@)",
            "else:",
            f"    {name} = tl.cast({queue[0]}, @REAL@)",
            *(f"    {a} = {b}" for a, b in pairwise(queue)),
            f"    {queue[-1]} = {load(name, 'more')}",
            f"    {name}_row += @SIGN@{name}_stride",
        ]

    def _read_bit(self, name: str) -> None:
        """A packed sequence of bits, the next byte fetched as one is begun."""
        self.arguments.append(f"{name}_ptr")
        load = f"tl.load({name}_ptr + {name}_row + at, mask=at < tl.where"
        self.enter += [
            f"{name}_row = tl.cast((T - 1) >> 3, tl.int64) * size",
            f"{name}_byte = {load}({name}_row >= 0, size, 0))",
            f"{name}_row -= size",
            f"{name}_next = {load}({name}_row >= 0, size, 0))",
        ]
        self.body += [
            f"{name}_new = (t < T - 1) & ((t & 7) == 7)",
            f"{name}_byte = tl.where({name}_new, {name}_next, {name}_byte)",
            f"{name}_row -= tl.where({name}_new, size, 0)",
            f"{name}_next = {load}({name}_new & ({name}_row >= 0), size, 0), other={name}_next)",
            f"{name} = ((tl.cast({name}_byte, tl.int32) >> (t & 7)) & 1) != 0",
        ]

    def _write(self, name: str, result: str) -> None:
        """A sequence of results, its steps one after another."""
        self.arguments.append(f"{name}_ptr")
        self.enter.append(f"{name}_row = @START@ * size")
        value = f"tl.cast({result}, {name}_ptr.dtype.element_ty)"
        self.body += [
            f"tl.store({name}_ptr + {name}_row + at, {value}, mask=inside)",
            f"{name}_row += @SIGN@size",
        ]

    def _save(self, name: str, result: str) -> None:
        if self.storage in ("float16", "bfloat16"):
            result = f"storable_({result}, {torch.finfo(getattr(torch, self.storage)).max!r})"
        self._write(name, result)

    def _write_bits(self, bits: Sequence[tuple[str, str]]) -> None:
        """Up to four sequences of bits, eight steps in a byte, the first lowest.

        Their bytes share one register for each neuron.
        """
        word = f"{bits[0][0]}_word"
        self.enter.append(f"{word} = tl.full([BLOCK], 0, tl.int32)")
        new = " | ".join(
            f"tl.where({result}, 1 << ((t & 7) + {8 * j}), 0)"
            for j, (_, result) in enumerate(bits)
        )
        self.body += [
            f"{word} = ({word} & tl.where((t & 7) == 0, 0, -1)) | {new}",
            f"{word}_full = ((t & 7) == 7) | (t == T - 1)",
        ]
        for j, (name, _) in enumerate(bits):
            self.arguments.append(f"{name}_ptr")
            self.enter.append(f"{name}_row = @START@ * size")
            self.body += [
                f"tl.store({name}_ptr + {name}_row + at, tl.cast({word} >> {8 * j}, tl.uint8), "
                f"mask=at < tl.where({word}_full, size, 0))",
                f"{name}_row += tl.where({word}_full, size, 0)",
            ]

    def _total(self, name: str, result: str) -> None:
        """The sum over time, per neuron."""
        self.arguments.append(f"{name}_ptr")
        self.enter.append(f"{name} = tl.full([BLOCK], 0.0, @REAL@)")
        self.body.append(f"{name} += {result}")
        self.leave.append(f"tl.store({name}_ptr + at, {name}, mask=inside)")

    def _carry(self, kind: str, results: Sequence[str]) -> None:
        for i, result in enumerate(results):
            value = f"tl.cast({result}, @REAL@)" if result in self.truths else result
            if result in self.uniform:
                value = f"tl.broadcast_to({value}, [BLOCK])"
            self.body.append(f"{kind}{i}_now = {value}")

    def _code(self, code: Code, exact: Collection[str]) -> list[str]:
        """Print code, of which the values named must be those of the forward bit by bit."""
        for line in code.lines:
            if line.op in PREDICATES:
                self.truths.add(line.target)
            operands = [self._operand(o) for o in line.operands]
            if self.uniform.issuperset(operands):
                self.uniform.add(line.target)
            value = (OPERATIONS | PREDICATES)[line.op].format(*operands)
            if line.target not in exact:
                value = self._loose(line.op, operands) or value
            self.body.append(f"{line.target} = {value}")
        return [self._operand(r) for r in code.results]

    def _loose(self, op: str, operands: Sequence[str]) -> str | None:
        """A cheaper form of an operation, if there is one."""
        if op == "div" and operands[1] in self.uniform and operands[0] not in self.uniform:
            one = self._operand(1.0)
            return f"{operands[0]} * divide_({one}, {operands[1]})"
        return LOOSE[op].format(*operands) if op in LOOSE else None

    def _operand(self, value: str | float) -> str:
        """A name, which a number gets, too: so that it has the dtype of the rest."""
        if isinstance(value, str):
            return value
        number = value if self.storage == "float64" else ctypes.c_float(value).value
        text = repr(number)
        text = text if text.lstrip("-")[0].isdigit() else f'float("{text}")'
        if text not in self.numbers:
            self.numbers[text] = f"n{len(self.numbers)}"
            self.enter.append(f"{self.numbers[text]} = tl.full((), {text}, @REAL@)")
            self.uniform.add(self.numbers[text])
        return self.numbers[text]

    def _text(self, name: str, backward: bool) -> str:
        pieces = {
            "ENTER": indented(self.enter, 4),
            "BODY": indented(self.body, 8),
            "LEAVE": indented(self.leave, 4),
            "NAME": name,
            "ARGUMENTS": ", ".join([*self.arguments, *(f"{c}: tl.constexpr" for c in CONSTANTS)]),
            "TIME": "T - 1 - i" if backward else "tl.cast(i, tl.int32)",
            "START": "tl.cast(T - 1, tl.int64)" if backward else "0",
            "SIGN": "-" if backward else "",
            "MORE": f"t >= {self.ahead}" if backward else f"t < T - {self.ahead}",
        }
        return filled(KERNEL, pieces)
