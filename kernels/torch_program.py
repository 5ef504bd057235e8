"""Runs a program by torch operations into buffers used again, with the analytic backward."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .layout import Layout
from .program import Code, Line, Program

__all__ = ["backward", "forward", "why_not"]

Value = Tensor | float

_BOOLEAN: dict[str, Callable[..., Any]] = {
    **{name: getattr(torch, name) for name in ("lt", "le", "gt", "ge", "eq", "ne", "isnan")},
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
}

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    name: getattr(torch, name)
    for name in (
        *("add", "sub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "sin", "cos"),
        *("sigmoid", "tanh", "maximum", "minimum", "round", "floor", "ceil", "sign"),
    )
}


def forward(
    program: Program,
    layout: Layout,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Value],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Outputs [T, N, \*], states after the last step, and saved values [T, N, \*]."""
    outputs = [layout.sequence() for _ in range(program.n_outputs)]
    saved = [layout.sequence(layout.precision) for _ in range(program.n_saved)]
    carried = [layout.step().copy_(state) for state in states]
    step = _Step(program.forward, layout, parameters)
    step.known |= {f"v{i}": state for i, state in enumerate(carried)}
    read = {f"x{i}": x_seq.unbind(0) for i, x_seq in enumerate(x_seqs)}
    written = [sequence.unbind(0) for sequence in (*outputs, *saved)]
    n, m = program.n_outputs, program.n_states
    for t in range(layout.steps):
        step.read(read, t)
        results = step.run()
        for sequence, result in zip(written, results[:n] + results[n + m :], strict=True):
            _write(sequence[t], result)
        _write_together(carried, results[n : n + m])
    return outputs, carried, saved


def backward(
    program: Program,
    layout: Layout,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    parameters: Sequence[Value],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Cotangents of the inputs [T, N, \*], the first states, and (per neuron) the parameters."""
    if program.backward is None:
        raise ValueError("the program was made without a backward")
    x_grads = [layout.sequence() for _ in range(program.n_inputs)]
    carried = [layout.step().copy_(0.0 if g is None else g) for g in state_grads]  # type: ignore[arg-type]
    totals = [layout.step().zero_() for _ in program.differentiated]
    step = _Step(program.backward, layout, parameters)
    step.known |= {f"c{i}": grad for i, grad in enumerate(carried)}
    read = {f"g{i}": layout.zeros() if g is None else g for i, g in enumerate(output_grads)}
    read |= {f"k{i}": sequence for i, sequence in enumerate(saved)}
    read |= {f"x{i}": x_seq for i, x_seq in x_seqs.items()}
    steps = {name: sequence.unbind(0) for name, sequence in read.items()}
    n, m = program.n_inputs, program.n_states
    for t in reversed(range(layout.steps)):
        step.read(steps, t)
        results = step.run()
        for grad, result in zip(x_grads, results[:n], strict=True):
            _write(grad[t], result)
        for total, result in zip(totals, results[n + m :], strict=True):
            total.add_(result)  # type: ignore[arg-type]
        _write_together(carried, results[n : n + m])
    return x_grads, carried, totals


class _Step:
    """The code of one step, with a buffer per line that every step uses again."""

    def __init__(self, code: Code, layout: Layout, parameters: Sequence[Value]) -> None:
        self.known: dict[str, Value] = {f"p{i}": p for i, p in enumerate(parameters)}
        self._code, self._layout = code, layout
        self._buffers: dict[str, Tensor] = {}

    def read(self, sequences: dict[str, Sequence[Tensor]], t: int) -> None:
        """Take step t of what is read, in the precision of states."""
        for name, sequence in sequences.items():
            self.known[name] = sequence[t].to(self._layout.precision)

    def run(self) -> list[Value]:
        """Run the lines; return the results, which the next run overwrites."""
        for line in self._code.lines:
            self.known[line.target] = self._compute(line)
        return [self._value(name) for name in self._code.results]

    def _value(self, operand: str | float) -> Value:
        return self.known[operand] if isinstance(operand, str) else operand

    def _compute(self, line: Line) -> Tensor:
        operands: list[Any] = [self._value(operand) for operand in line.operands]
        out = self._buffer(line.target, line.op in _BOOLEAN)
        if line.op == "float":
            return out.copy_(operands[0])
        if line.op == "relu":
            return torch.clamp_min(operands[0], 0.0, out=out)
        if line.op == "where":
            return torch.where(operands[0], *map(self._tensor, operands[1:]), out=out)
        function = _BOOLEAN.get(line.op) or _ARITHMETIC[line.op]
        if line.op in ("maximum", "minimum", "and", "or"):
            operands = [self._tensor(operand) for operand in operands]
        elif not isinstance(operands[0], Tensor):
            operands[0] = self._tensor(operands[0])
        return function(*operands, out=out)  # type: ignore[no-any-return]

    def _tensor(self, value: Value) -> Tensor:
        if isinstance(value, Tensor):
            return value
        layout = self._layout
        return torch.tensor(value, dtype=layout.precision, device=layout.device)

    def _buffer(self, name: str, boolean: bool) -> Tensor:
        if name not in self._buffers:
            step = self._layout.step()
            self._buffers[name] = step.to(torch.bool) if boolean else step
        return self._buffers[name]


def _write(target: Tensor, value: Value) -> None:
    if isinstance(value, Tensor):
        target.copy_(value)
    else:
        target.fill_(value)


def _write_together(targets: Sequence[Tensor], values: Sequence[Value]) -> None:
    """Write values of which some may be other targets, before any target changes."""
    ids = {id(target) for target in targets}
    values = [v.clone() if isinstance(v, Tensor) and id(v) in ids else v for v in values]
    for target, value in zip(targets, values, strict=True):
        _write(target, value)


def why_not(device: torch.device) -> str | None:
    """Why torch operations cannot run on a device: they always can."""
    return None
