"""Runs a program by torch operations into buffers used again, with the analytic backward."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .layout import Layout
from .program import Program
from .recurrence import linearize
from .schedule import Schedule, schedule
from .simplify import decisive_ancestors, fold, fuse, kind_of
from .tile import Tile

__all__ = ["backward", "forward", "new_saved", "why_not"]

Value = Tensor | float
Operand = str | float

# A tile has about this many values, of which ten or so fit into a core's own cache.
TILE = 131072
# So many neurons are worth a call of torch.
WIDTH = 32768
# A block ends where a vector does, as eager's vectors begin at multiples of it.
VECTOR = 64


def forward(
    program: Program,
    layout: Layout,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Value],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    r"""Outputs [T, N, \*], states after the last step, and saved values [T, N, \*]."""
    outputs = [layout.sequence() for _ in range(program.n_outputs)]
    saved = new_saved(program, layout)
    new_states = [layout.step() for _ in states]
    plan = forward_plan(program, tuple(map(kind_of, parameters)))
    n, m = program.n_outputs, program.n_states
    _run(
        _Work(
            plan=plan,
            layout=layout,
            reads={f"x{i}": layout.match(x_seq) for i, x_seq in enumerate(x_seqs)},
            writes=[*zip(plan.results[:n], outputs, strict=True)],
            carried=[*zip(map(layout.match_step, states), new_states, strict=True)],
            parameters=parameters,
            saved=[*zip(plan.results[n + m :], saved, strict=True)],
        )
    )
    return outputs, new_states, saved


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
    given = {f"g{i}": layout.match(g) for i, g in enumerate(output_grads) if g is not None}
    absent = frozenset(f"g{i}" for i, g in enumerate(output_grads) if g is None)
    plan = backward_plan(program, tuple(map(kind_of, parameters)), absent)
    x_grads = [layout.sequence() for _ in range(program.n_inputs)]
    first = [layout.step() for _ in state_grads]
    last = [layout.step().zero_() if g is None else layout.match_step(g) for g in state_grads]
    totals = [layout.step().zero_() for _ in program.differentiated]
    n, m = program.n_inputs, program.n_states
    kept = map(layout.match_saved, program.saved, saved)
    given |= {f"k{i}": sequence for i, sequence in enumerate(kept)}
    given |= {f"x{i}": layout.match(x_seq) for i, x_seq in x_seqs.items()}
    _run(
        _Work(
            plan=plan,
            layout=layout,
            reads=given,
            writes=[*zip(plan.results[:n], x_grads, strict=True)],
            carried=[*zip(last, first, strict=True)],
            parameters=parameters,
            totals=[*zip(plan.results[n + m :], totals, strict=True)],
            backward=True,
        )
    )
    return x_grads, first, totals


def new_saved(program: Program, layout: Layout) -> list[Tensor]:
    """Empty tensors for what a program saves.

    Bits as bytes: packing them would cost torch more operations than they save.
    """
    return [
        layout.sequence(torch.bool if kind == "bit" else layout.dtype) for kind in program.saved
    ]


def why_not(device: torch.device) -> str | None:
    """Why torch operations cannot run on a device: they always can."""
    return None


@functools.lru_cache(maxsize=256)
def forward_plan(program: Program, kinds: tuple[str, ...]) -> Schedule:
    code = fuse(fold(program.forward, kinds), loose=False)
    carried = tuple(f"v{i}" for i in range(program.n_states))
    everything = {line.target for line in code.lines}
    return schedule(code, carried, program.n_outputs, everything)


@functools.lru_cache(maxsize=256)
def backward_plan(program: Program, kinds: tuple[str, ...], absent: frozenset[str]) -> Schedule:
    if program.backward is None:
        raise ValueError("the program was made without a backward")
    code = fuse(fold(linearize(fold(program.backward, kinds), absent), kinds), loose=True)
    carried = tuple(f"c{i}" for i in range(program.n_states))
    return schedule(code, carried, program.n_inputs, decisive_ancestors(code))


@dataclass(frozen=True)
class _Work:
    r"""One run over a sequence.

    Arguments:
        plan: What to run.
        layout: How everything lies.
        reads: Sequences [T, N, \*] by name.
        writes: Results and the sequences that take them.
        carried: Each carried value [N, \*] before the run, and what takes it after.
        parameters: The program's.
        totals: Results and what takes their sums over time, [N, \*], zeros before.
        saved: Results and the sequences that keep them for the backward.
        backward: Whether the steps run against time.
    """

    plan: Schedule
    layout: Layout
    reads: dict[str, Tensor]
    writes: list[tuple[Operand, Tensor]]
    carried: list[tuple[Tensor, Tensor]]
    parameters: Sequence[Value]
    totals: list[tuple[Operand, Tensor]] = field(default_factory=list)
    saved: list[tuple[Operand, Tensor]] = field(default_factory=list)
    backward: bool = False


def _run(work: _Work) -> None:
    """Run all tiles: blocks of neurons one after another, each through its time."""
    run = _Run(work)
    for block in _parts(work.layout.size, run.width):
        run.block(block)


class _Run:
    """A run with everything as lines of numbers."""

    def __init__(self, work: _Work) -> None:
        layout, flat_step = work.layout, work.layout.flat_step
        self.width = _share(layout.size, WIDTH)
        steps = min(layout.steps, max(1, TILE // max(1, self.width)))
        self._parts = _parts(layout.steps, steps)
        if work.backward:
            self._parts.reverse()
        self._work, self._tiles = work, dict[tuple[int, int], Tile]()
        self._like = torch.empty((), dtype=layout.precision, device=layout.device)
        self._uniform = {
            f"p{i}": _uniform(p, layout, self._like) for i, p in enumerate(work.parameters)
        }
        self._reads = [(name, layout.flat(sequence)) for name, sequence in work.reads.items()]
        self._writes = [(name, layout.flat(sequence)) for name, sequence in work.writes]
        self._saved = [(name, layout.flat(sequence)) for name, sequence in work.saved]
        self._totals = [(name, flat_step(total)) for name, total in work.totals]
        self._carried = [(flat_step(first), flat_step(last)) for first, last in work.carried]

    def block(self, block: slice) -> None:
        """Run the tiles of some neurons."""
        values = [first[block] for first, _ in self._carried]
        uniform = {
            name: value[block] if value.dim() else value for name, value in self._uniform.items()
        }
        used = set[Tile]()
        for part in self._parts:
            tile = self._tile(part.stop - part.start, block.stop - block.start)
            if tile not in used:
                used.add(tile)
                tile.once(uniform)
            for name, sequence in self._reads:
                tile.read(name, sequence[part, block])
            writes = [(name, sequence[part, block]) for name, sequence in self._writes]
            saved = [(name, sequence[part, block]) for name, sequence in self._saved]
            values = _run_tile(tile, writes, saved, values)
            for result, total in self._totals:
                total[block] += tile.value(result).expand(tile.steps, tile.width).sum(0)
        for value, (_, last) in zip(values, self._carried, strict=True):
            last[block].copy_(value)

    def _tile(self, steps: int, width: int) -> Tile:
        if (steps, width) not in self._tiles:
            plan, backward = self._work.plan, self._work.backward
            self._tiles[steps, width] = Tile(plan, steps, width, self._like, backward)
        return self._tiles[steps, width]


def _run_tile(
    tile: Tile,
    writes: Sequence[tuple[Operand, Tensor]],
    saved: Sequence[tuple[Operand, Tensor]],
    carried: Sequence[Tensor],
) -> list[Tensor]:
    in_place = set[Operand]()
    rest = []
    for name, view in (*writes, *saved):
        if name not in in_place and tile.write(name, view):
            in_place.add(name)
        else:
            rest.append((name, view))
    carried = tile.run(carried)
    kept = {id(view) for _, view in saved}
    for name, view in rest:
        value = tile.value(name)
        view.copy_(_storable(value, view.dtype) if id(view) in kept else value)
    return carried


def _storable(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A value in the range of what stores it; 16 bits would make some finite numbers infinite."""
    if dtype.itemsize != 2:
        return value
    most = torch.finfo(dtype).max
    return torch.where(value.isinf(), value, value.clamp(-most, most))


def _uniform(parameter: Value, layout: Layout, like: Tensor) -> Tensor:
    """A parameter as a number, or as one value per neuron."""
    if not isinstance(parameter, Tensor):
        return torch.full_like(like, parameter)
    if parameter.numel() == 1:
        return parameter.detach().to(like).reshape(())
    return layout.flat_step(layout.match_step(parameter.detach().expand(layout.shape)))


def _share(size: int, most: int) -> int:
    """The largest even share of ``size`` of at most ``most``, in whole vectors."""
    shares = -(-size // most)
    return size if shares <= 1 else -(-size // (shares * VECTOR)) * VECTOR


def _parts(size: int, length: int) -> list[slice]:
    return [slice(a, min(a + length, size)) for a in range(0, size, max(1, length))]
