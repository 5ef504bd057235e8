"""A schedule run on tiles gives what the code gives step by step."""

import pytest
import torch
from spikeframe.kernels.program import Code, Line
from spikeframe.kernels.schedule import schedule
from spikeframe.kernels.tile import Tile
from straight_line import PROGRAMS, evaluate, inputs


def _by_hand(program, x_seqs, states, values):
    outputs = []
    for t in range(x_seqs[0].shape[0]):
        step = {f"x{i}": x_seq[t] for i, x_seq in enumerate(x_seqs)}
        step |= {f"v{i}": state for i, state in enumerate(states)}
        results = evaluate(program.forward, values | step)
        outputs.append(results[0])
        states = results[program.n_outputs : program.n_outputs + program.n_states]
    return torch.stack(outputs), states


@pytest.mark.parametrize("case", PROGRAMS, ids=str)
def test_two_tiles_in_a_row_carry_the_states(case):
    program = case()
    values = inputs(program)
    x_seqs = [
        torch.stack([x, x.flip(0), x * 0.5, x + 0.25])
        for x in (values[f"x{i}"] for i in range(program.n_inputs))
    ]
    states = [values[f"v{i}"] for i in range(program.n_states)]
    expected, last = _by_hand(program, x_seqs, states, values)

    names = tuple(f"v{i}" for i in range(program.n_states))
    everything = {line.target for line in program.forward.lines}
    plan = schedule(program.forward, names, program.n_outputs, everything)
    like = torch.empty((), dtype=torch.float64)
    tile = Tile(plan, 2, values["x0"].numel(), like, backward=False)
    tile.once({f"p{i}": values[f"p{i}"] for i in range(program.n_parameters)})
    found, carried = torch.empty_like(expected), states
    for part in (slice(0, 2), slice(2, 4)):
        for i, x_seq in enumerate(x_seqs):
            tile.read(f"x{i}", x_seq[part])
        carried = tile.run(carried)
        found[part] = tile.value(plan.results[0])
    assert torch.equal(found, expected)
    for state, right in zip(carried, last, strict=True):
        torch.testing.assert_close(state, right, rtol=1e-14, atol=0)


def test_a_value_is_computed_where_it_is_wanted():
    program = PROGRAMS[0]()
    names = tuple(f"v{i}" for i in range(program.n_states))
    plan = schedule(program.forward, names, program.n_outputs, set())
    tile = Tile(plan, 2, 5, torch.empty(()), backward=False)
    assert tile.write(plan.results[0], torch.empty(2, 5))
    assert not tile.write(plan.results[0], torch.empty(2, 5, dtype=torch.float16))
    assert not tile.write("x0", torch.empty(2, 5))


def test_a_value_that_nobody_set_is_an_error():
    program = PROGRAMS[0]()
    names = tuple(f"v{i}" for i in range(program.n_states))
    plan = schedule(program.forward, names, program.n_outputs, set())
    tile = Tile(plan, 2, 5, torch.empty(()), backward=False)
    with pytest.raises(ValueError, match="is read before it is known"):
        tile.run([torch.zeros(5) for _ in names])


def test_values_that_nobody_reads_any_more_make_room():
    lines = [Line("t0", "add", ("x0", 1.0))]
    lines += [Line(f"t{i}", "mul", (f"t{i - 1}", f"t{i - 1}")) for i in range(1, 6)]
    lines += [Line("t6", "sub", ("v0", "t5")), Line("t7", "add", ("t6", "t0"))]
    plan = schedule(Code(tuple(lines), ("t7", "t6")), ("v0",), 1, set())
    made = []

    class Counting(Tile):
        def _empty(self, op, *shape):
            made.append(super()._empty(op, *shape))
            return made[-1]

    tile, x = Counting(plan, 2, 5, torch.empty(()), backward=False), torch.rand(2, 5)
    tile.read("x0", x)
    tile.run([torch.ones(5)])
    squares = (x + 1) ** 32
    expected = torch.stack((1 - squares[0], 1 - squares[0] - squares[1])) + x + 1
    torch.testing.assert_close(tile.value("t7"), expected)
    # Of t0, which is read at the end again, of all squares, of the results.
    assert sum(tensor.shape == (2, 5) for tensor in made) <= 3
