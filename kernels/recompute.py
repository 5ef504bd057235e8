r"""What a forward leaves for the backward: the program's saved values, or next to nothing.

With ``save='input'`` a forward keeps its inputs, its first states, and the states at every 32nd
step. The backward goes through the sequence from its end, 32 steps at a time: it runs the forward
of these steps again, now with what the program saves, and then their backward.
"""

from collections.abc import Sequence

from torch import Tensor

from .engine import Engine, Sequences
from .layout import Layout
from .program import Program

__all__ = ["MODES", "backward", "check_save", "forward", "kept_inputs", "new_saved"]

MODES = ("auto", "input")

# So many steps are run again at a time: what they save is in memory for that time only.
STEPS = 32

Value = Tensor | float


def check_save(save: str) -> str:
    """Return ``save`` if it names a mode.

    Raises:
        ValueError: It does not.
    """
    if save not in MODES:
        raise ValueError(f"save must be 'auto' or 'input', got {save!r}")
    return save


def forward(
    engine: Engine,
    program: Program,
    save: str,
    x_seqs: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Value],
) -> tuple[Sequences, Sequences, Sequences]:
    r"""Outputs [T, N, \*], states after the last step, and what is kept beside the inputs."""
    layout = Layout(x_seqs[0])
    if save == "auto" or program.backward is None:
        return engine.forward(program, layout, x_seqs, states, parameters)
    plain = program.without_backward
    if layout.steps <= STEPS:
        outputs, new_states, _ = engine.forward(plain, layout, x_seqs, states, parameters)
        return outputs, new_states, []
    outputs = [layout.sequence() for _ in range(program.n_outputs)]
    borders = new_saved(engine, program, save, layout)
    for i, part in enumerate(_parts(layout.steps)):
        if i:
            for border, state in zip(borders, states, strict=True):
                border[i - 1].copy_(state)
        chunk = [x_seq[part] for x_seq in x_seqs]
        found, states, _ = engine.forward(plain, Layout(chunk[0]), chunk, states, parameters)
        _put(found, outputs, part)
    return outputs, list(states), borders


def backward(
    engine: Engine,
    program: Program,
    save: str,
    layout: Layout,
    output_grads: Sequence[Tensor | None],
    state_grads: Sequence[Tensor | None],
    saved: Sequence[Tensor],
    x_seqs: dict[int, Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Value],
) -> tuple[Sequences, Sequences, Sequences]:
    r"""Cotangents of the inputs [T, N, \*], the first states, and (per neuron) the parameters.

    Arguments:
        engine: What runs the program.
        program: The program.
        save: What the forward kept.
        layout: How everything lies.
        output_grads: Cotangents of the outputs, None where there are none.
        state_grads: Cotangents of the last states, None where there are none.
        saved: What the forward kept beside the inputs.
        x_seqs: The inputs that ``kept_inputs`` names.
        states: The first states, for ``save='input'``.
        parameters: The parameters.
    """
    if save == "auto":
        return engine.backward(
            program, layout, output_grads, state_grads, saved, x_seqs, parameters
        )
    x_grads = [layout.sequence() for _ in x_seqs] if layout.steps > STEPS else []
    totals: Sequences = []
    for i, part in reversed(list(enumerate(_parts(layout.steps)))):
        chunk = [x_seq[part] for x_seq in x_seqs.values()]
        piece = Layout(chunk[0])
        first = [border[i - 1] for border in saved] if i else states
        _, _, values = engine.forward(program, piece, chunk, first, parameters)
        grads = [None if g is None else g[part] for g in output_grads]
        inputs = {j: chunk[j] for j in program.saved_inputs}
        found, state_grads, sums = engine.backward(
            program, piece, grads, state_grads, values, inputs, parameters
        )
        totals = [a + b for a, b in zip(totals, sums, strict=True)] if totals else sums
        if layout.steps <= STEPS:
            x_grads = found
        else:
            _put(found, x_grads, part)
    return x_grads, list(state_grads), totals  # type: ignore[arg-type]


def kept_inputs(program: Program, save: str) -> tuple[int, ...]:
    """The inputs that the backward reads."""
    if program.backward is None:
        return ()
    return program.saved_inputs if save == "auto" else tuple(range(program.n_inputs))


def new_saved(engine: Engine, program: Program, save: str, layout: Layout) -> Sequences:
    """Empty tensors for what the forward keeps beside the inputs."""
    if program.backward is None:
        return []
    if save == "auto":
        return engine.new_saved(program, layout)
    borders = (layout.steps - 1) // STEPS
    count = program.n_states if borders else 0
    return [layout.sequence(layout.precision, borders) for _ in range(count)]


def _parts(steps: int) -> list[slice]:
    return [slice(a, min(a + STEPS, steps)) for a in range(0, steps, STEPS)]


def _put(found: Sequences, into: Sequences, part: slice) -> None:
    for piece, whole in zip(found, into, strict=True):
        whole[part].copy_(piece)
