"""Runs a schedule on one tile of a sequence after another: some steps of some neurons.

A tile is small, so that what its operations leave for each other stays in the cache, and every
tile uses the same buffers again.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .program import Line
from .schedule import Schedule
from .torch_operations import function, is_boolean

__all__ = ["Tile"]

Operand = str | float
Operation = Callable[[int], object]


class Tile:
    """The buffers and operations for tiles of one shape.

    Every value is known in two ways: as a whole [steps, width], and by its rows. Both are lists
    to which the operations hold on, so that a value from outside is put in place by changing
    what the list holds.

    Arguments:
        plan: What to run.
        steps: Number of steps.
        width: Number of neurons.
        like: A tensor of the dtype and device to compute in.
        backward: Whether the steps run from the last to the first.
    """

    def __init__(
        self, plan: Schedule, steps: int, width: int, like: Tensor, backward: bool
    ) -> None:
        self.plan, self.steps, self.width = plan, steps, width
        self._like, self._backward = like, backward
        self._whole: dict[str | float, list[Tensor]] = {}
        self._rows: dict[str | float, list[Tensor]] = {}
        self._casts: dict[str, Tensor] = {}
        self._pairs: dict[str, list[Tensor]] = {}
        self._trails: dict[str, Tensor] = {}
        self._temporaries: dict[Operand, Tensor] = {}
        self._free: dict[tuple[torch.dtype, torch.Size], list[Tensor]] = {}
        self._by_row = {o for line in plan.step for o in (line.target, *line.operands)}
        self._targets = {line.target for line in (*plan.before, *plan.step, *plan.after)}
        self._targets -= {
            n for c, n in zip(plan.carried, plan.next, strict=True) if c in plan.whole
        }
        self._operations: list[tuple[list[Operation], Sequence[int]]] | None = None

    def once(self, parameters: dict[str, Tensor]) -> None:
        """Set the parameters, each a number or one value per neuron, and what depends on them."""
        for name, value in parameters.items():
            self._set_uniform(name, value)
        for line in self.plan.once:
            operands = [self._operand(self._whole, o)[0] for o in line.operands]
            shape = torch.broadcast_shapes(*(o.shape for o in operands))
            out = self._empty(line.op, *shape)
            self._set_uniform(line.target, function(line.op)(*operands, out=out))

    def read(self, name: str, values: Tensor) -> None:
        """Set a value [steps, width] from outside."""
        if values.dtype not in (self._like.dtype, torch.bool):
            if name not in self._casts:
                self._casts[name] = self._empty("", self.steps, self.width)
                self._set(name, self._casts[name])
            self._casts[name].copy_(values)
        else:
            self._set(name, values)

    def write(self, name: str | float, values: Tensor) -> bool:
        """Have the value computed in place, where that can be; whether it is."""
        if values.dtype != self._like.dtype or name not in self._targets:
            return False
        self._set(name, values)
        return True

    def value(self, name: str | float) -> Tensor:
        """A value as a whole."""
        return self._operand(self._whole, name)[0]

    def run(self, carried: Sequence[Tensor]) -> list[Tensor]:
        """Run the tile on the carried values [width]; return those after its last step."""
        if self._operations is None:
            self._operations = self._compile()
        for name, successor, value in zip(self.plan.carried, self.plan.next, carried, strict=True):
            self._carry(name, successor, value)
        for operations, steps in self._operations:
            for t in steps:
                for operation in operations:
                    operation(t)
        last = 0 if self._backward else -1
        return [self._rows[successor][last] for successor in self.plan.next]

    def _compile(self) -> list[tuple[list[Operation], Sequence[int]]]:
        plan, steps = self.plan, range(self.steps)
        for name, successor in zip(plan.carried, plan.next, strict=True):
            self._rows[name] = []
            if name in plan.whole:
                self._lay_trail(name, successor)
        self._allocate_all()
        return [
            ([self._operation(line, self._whole) for line in plan.before], (0,)),
            (
                [self._operation(line, self._rows) for line in plan.step],
                steps[::-1] if self._backward else steps,
            ),
            ([self._operation(line, self._whole) for line in plan.after], (0,)),
        ]

    def _lay_trail(self, name: str, successor: str) -> None:
        """Memory in which what a step leaves is what the next one finds, for all steps."""
        trail = self._trails[name] = self._empty("", self.steps + 1, self.width)
        found, left = (trail[1:], trail[:-1]) if self._backward else (trail[:-1], trail[1:])
        self._set(name, found)
        self._set(successor, left)

    def _carry(self, name: str, successor: str, value: Tensor) -> None:
        """Let the first step find the value, and each other what the one before it left."""
        if name in self._trails:
            self._trails[name][-1 if self._backward else 0].copy_(value)
            return
        left, pair = self._rows[successor], self._pairs.get(successor)
        if pair is not None:
            if value is pair[0]:
                pair.reverse()
            left[:] = (pair * (self.steps // 2 + 1))[: self.steps]
            if self._backward:
                left.reverse()
        elif value is left[0 if self._backward else -1]:
            value = value.clone()
        self._rows[name][:] = [*left[1:], value] if self._backward else [value, *left[:-1]]

    def _allocate_all(self) -> None:
        """Memory for all values: the fewer buffers, the more of them are in the cache."""
        plan = self.plan
        lines, kept = (*plan.before, *plan.step, *plan.after), {*plan.results, *plan.next}
        last = {o: i for i, line in enumerate(lines) for o in line.operands}
        for i, line in enumerate(lines):
            # What nobody reads any more makes room, for the result of this very line too.
            for name in {o for o in line.operands if last[o] == i} - kept:
                if name in self._temporaries:
                    tensor = self._temporaries.pop(name)
                    self._free.setdefault((tensor.dtype, tensor.shape), []).append(tensor)
            self._allocate(line)

    def _allocate(self, line: Line) -> None:
        name, plan = line.target, self.plan
        if name in self._whole:
            return
        if name in plan.whole or line not in plan.step:
            self._set(name, self._temporary(line, self.steps, self.width))
        elif name in plan.next:
            self._pairs[name] = [self._empty("", self.width), self._empty("", self.width)]
            self._rows[name] = []
        else:
            self._rows[name] = [self._temporary(line, self.width)] * self.steps

    def _operation(self, line: Line, table: dict[str | float, list[Tensor]]) -> Operation:
        operands = [self._operand(table, o) for o in line.operands]
        return _bind(function(line.op), operands, table[line.target])

    def _operand(
        self, table: dict[str | float, list[Tensor]], operand: str | float
    ) -> list[Tensor]:
        if operand not in table:
            if isinstance(operand, str):
                raise ValueError(f"{operand} is read before it is known")
            self._set_uniform(operand, torch.full_like(self._like, operand))
        return table[operand]

    def _set(self, name: str | float, values: Tensor) -> None:
        self._whole.setdefault(name, [values])[0] = values
        if name in self._by_row:
            self._rows.setdefault(name, [])[:] = values.unbind(0)

    def _set_uniform(self, name: str | float, value: Tensor) -> None:
        self._whole.setdefault(name, [value])[0] = value
        self._rows.setdefault(name, [])[:] = [value] * self.steps

    def _temporary(self, line: Line, *shape: int) -> Tensor:
        """Memory for a value, which is another's once no line reads it any more."""
        free = self._free.get((self._dtype(line.op), torch.Size(shape)))
        tensor = free.pop() if free else self._empty(line.op, *shape)
        self._temporaries[line.target] = tensor
        return tensor

    def _dtype(self, op: str) -> torch.dtype:
        return torch.bool if is_boolean(op) else self._like.dtype

    def _empty(self, op: str, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self._dtype(op), device=self._like.device)


def _bind(f: Callable[..., object], operands: list[list[Tensor]], out: list[Tensor]) -> Operation:
    """The operation at step t."""
    if len(operands) == 1:
        (a,) = operands
        return lambda t: f(a[t], out=out[t])
    if len(operands) == 2:
        a, b = operands
        return lambda t: f(a[t], b[t], out=out[t])
    a, b, c = operands
    return lambda t: f(a[t], b[t], c[t], out=out[t])
