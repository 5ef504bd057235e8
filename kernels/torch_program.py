"""Runs a program by torch operations into reused buffers, with the analytic backward."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .program import Code, Line, Program

__all__ = ["backward", "forward"]

Value = Tensor | float

_PREDICATES: dict[str, Callable[..., Any]] = {
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
    "eq": torch.eq,
    "ne": torch.ne,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "isnan": torch.isnan,
}

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    name: getattr(torch, name)
    for name in (
        *("add", "sub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "sin", "cos"),
        *("sigmoid", "tanh", "maximum", "minimum", "round", "floor", "ceil", "sign"),
    )
}


def forward(
    program: Program, x_seqs: Sequence[Tensor], states: Sequence[Tensor], parameters: Sequence[Value]
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Outputs [T, N, \*], states after the last step, and saved values [T, N, \*]."""
    like = x_seqs[0]
    outputs = [torch.empty_like(like) for _ in range(program.n_outputs)]
    saved = [torch.empty_like(like, dtype=states[0].dtype) for _ in range(program.n_saved)]
    carried = [v.clone() for v in states]
    step = _Step(program.forward, states[0])
    step.known |= {f"p{i}": p for i, p in enumerate(parameters)}
    step.known |= {f"v{i}": v for i, v in enumerate(carried)}
    written = [sequence.unbind(0) for sequence in (*outputs, *saved)]
    inputs = [x_seq.unbind(0) for x_seq in x_seqs]
    n, m = program.n_outputs, program.n_states
    for t in range(like.shape[0]):
        for i, x in enumerate(inputs):
            step.known[f"x{i}"] = x[t]
        results = step.run()
        for sequence, result in zip(written, results[:n] + results[n + m :], strict=True):
            _write(sequence[t], result)
        _write_all(carried, results[n : n + m])
    return outputs, carried, saved


def backward(
    program: Program,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    parameters: Sequence[Value],
    like: Tensor,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Gradients of the inputs [T, N, \*], the first states, and (per neuron) the parameters."""
    assert program.backward is not None
    steps = like.shape[0]
    zero = torch.zeros_like(like[0], dtype=_precision(like))
    step = _Step(program.backward, zero)
    step.known |= {f"p{i}": p for i, p in enumerate(parameters)}
    carried = [zero.clone() if g is None else g.clone() for g in state_grads]
    step.known |= {f"c{i}": c for i, c in enumerate(carried)}
    step.known |= {f"g{i}": zero for i, g in enumerate(output_grads) if g is None}
    read = {f"g{i}": g.unbind(0) for i, g in enumerate(output_grads) if g is not None}
    read |= {f"k{i}": k.unbind(0) for i, k in enumerate(saved)}
    read |= {f"x{i}": x.unbind(0) for i, x in x_seqs.items()}
    x_grads = [torch.empty_like(like) for _ in range(program.n_inputs)]
    totals = [zero.clone() for _ in program.differentiated]
    n, m = program.n_inputs, program.n_states
    for t in reversed(range(steps)):
        for name, sequence in read.items():
            step.known[name] = sequence[t]
        results = step.run()
        for grad, result in zip(x_grads, results[:n], strict=True):
            _write(grad[t], result)
        for total, result in zip(totals, results[n + m :], strict=True):
            total += result
        _write_all(carried, results[n : n + m])
    return x_grads, carried, totals


class _Step:
    """The code of one step with a buffer for each line, used again at every step."""

    def __init__(self, code: Code, like: Tensor) -> None:
        self.known: dict[str, Value] = {}
        self._code, self._like = code, like
        self._buffers: dict[str, Tensor] = {}

    def run(self) -> list[Value]:
        """Run the lines on what is known; return the results."""
        for line in self._code.lines:
            self.known[line.target] = self._compute(line)
        return [self._value(name) for name in self._code.results]

    def _value(self, operand: str | float) -> Value:
        return self.known[operand] if isinstance(operand, str) else operand

    def _compute(self, line: Line) -> Value:
        operands = [self._value(o) for o in line.operands]
        tensors = [o for o in operands if isinstance(o, Tensor)]
        boolean = line.op in _PREDICATES
        out = self._buffer(line.target, torch.bool if boolean else self._like.dtype)
        if line.op == "float":
            return out.copy_(operands[0])  # type: ignore[arg-type]
        if line.op == "where":
            return torch.where(*operands, out=out) if _all_tensors(operands) else _select(operands)
        if line.op == "relu":
            return torch.clamp_min(operands[0], 0.0, out=out)
        function = _PREDICATES.get(line.op) or _ARITHMETIC[line.op]
        if not tensors or not isinstance(operands[0], Tensor) or line.op in _TENSORS_ONLY:
            operands = [o if isinstance(o, Tensor) else self._like.new_tensor(o) for o in operands]
        return function(*operands, out=out)

    def _buffer(self, name: str, dtype: torch.dtype) -> Tensor:
        if name not in self._buffers:
            self._buffers[name] = torch.empty_like(self._like, dtype=dtype)
        return self._buffers[name]


_TENSORS_ONLY = ("maximum", "minimum", "and", "or")


def _all_tensors(values: Sequence[Value]) -> bool:
    return all(isinstance(value, Tensor) for value in values)


def _select(operands: Sequence[Any]) -> Tensor:
    return torch.where(*operands)


def _write(target: Tensor, value: Value) -> None:
    if isinstance(value, Tensor):
        target.copy_(value)
    else:
        target.fill_(value)


def _write_all(targets: Sequence[Tensor], values: Sequence[Value]) -> None:
    """Write values that may be computed from, or be, other targets."""
    names = {id(target) for target in targets}
    values = [v.clone() if isinstance(v, Tensor) and id(v) in names else v for v in values]
    for target, value in zip(targets, values, strict=True):
        _write(target, value)


def _precision(like: Tensor) -> torch.dtype:
    return torch.float64 if like.dtype == torch.float64 else torch.float32
