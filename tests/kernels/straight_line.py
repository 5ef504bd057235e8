"""Straight-line code, evaluated line by line as it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from cases import NEURONS, RESETS, NeuronCase
from foreign_neurons import FOREIGN
from spikeframe.kernels.cache import traced
from spikeframe.kernels.program import Code, Program
from torch import Tensor

__all__ = ["PROGRAMS", "evaluate", "inputs"]

WRITTEN = {
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "isnan": torch.isnan,
    "float": lambda a: a.to(torch.float64),
    "copy": lambda a: a,
    "addcmul": lambda a, b, c: a + b * c,
    "addcmul-": lambda a, b, c: a - b * c,
    "addcdiv": lambda a, b, c: a + b / c,
    "addcdiv-": lambda a, b, c: a - b / c,
}


def evaluate(code: Code, values: Mapping[str, Tensor]) -> list[Tensor]:
    """The results, from the values by name."""
    known = dict(values)

    def value(operand: str | float) -> Tensor:
        made = known.get(operand)  # type: ignore[arg-type]
        return torch.tensor(operand, dtype=torch.float64) if made is None else made

    for line in code.lines:
        operands = [value(o) for o in line.operands]
        name = line.op.removeprefix("float_")
        made = WRITTEN[name] if name in WRITTEN else getattr(torch, name)
        result = made(*operands)
        known[line.target] = result.double() if line.op.startswith("float_") else result
    return [value(result) for result in code.results]


@dataclass(frozen=True)
class ProgramCase:
    """A program, made when it is asked for."""

    name: str
    make: Callable[[], Program]

    def __call__(self) -> Program:
        return self.make()

    def __str__(self) -> str:
        return self.name


def _of(case: NeuronCase, v_reset: float | None, detach_reset: bool) -> ProgramCase:
    def make() -> Program:
        return traced(case(v_reset=v_reset, detach_reset=detach_reset)).program((0,), ())

    return ProgramCase(f"{case.name}-{v_reset}-{detach_reset}", make)


def _foreign(name: str, make: Callable[[], Any], n: int) -> ProgramCase:
    return ProgramCase(name, lambda: traced(make(), n).program((0,), (0,)))


# Of the neurons in the registry and of users'.
PROGRAMS = [
    *(_of(case, *reset) for case in NEURONS for reset in RESETS),
    *(_foreign(*row) for row in FOREIGN),
]


def inputs(program: Program, seed: int = 0) -> dict[str, Tensor]:
    """Values for all that the code of a program reads."""
    generator = torch.Generator().manual_seed(seed)

    def draw() -> Tensor:
        return torch.rand(257, generator=generator, dtype=torch.float64) * 2.4 - 0.4

    counts = {
        "x": program.n_inputs,
        "v": program.n_states,
        "g": program.n_outputs,
        "c": program.n_states,
    }
    values = {f"{kind}{i}": draw() for kind, count in counts.items() for i in range(count)}
    for i in range(program.n_parameters):
        values[f"p{i}"] = torch.tensor(0.3 + 0.2 * i, dtype=torch.float64)
    for i, kind in enumerate(program.saved):
        values[f"k{i}"] = draw() > 0.5 if kind == "bit" else draw()
    return values
