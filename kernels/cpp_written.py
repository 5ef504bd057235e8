"""The two passes of a call in C++, written out as Python with no question left in them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from . import cpp, fused
from .layout import Layout
from .program import Program
from .written import Written

__all__ = ["WrittenLaunch", "serves"]

Values = Sequence[Tensor | float]
Strides = tuple[int, ...]


def serves(parameters: Values) -> bool:
    """Whether all of a call's parameters are numbers."""
    return not any(isinstance(p, Tensor) for p in parameters)


class WrittenLaunch:
    """Runs one program on tensors that lie as a layout says, again and again.

    Arguments:
        program: The program.
        layout: How sequences and states lie.
        parameters: The parameters of a call, all numbers.
        strides: Those of each input.
    """

    def __init__(
        self, program: Program, layout: Layout, parameters: Values, strides: Sequence[Strides]
    ) -> None:
        launch = cpp.Launch(program, layout, parameters)
        self._apply: Callable[..., Any] = _forward(program, layout, launch, strides)
        if program.backward is not None:
            passes = self._apply, _backward(program, layout, launch, strides)
            names = dict(zip(("forward", "backward"), map(staticmethod, passes), strict=True))
            self._apply = type("_Written", (torch.autograd.Function,), names).apply  # type: ignore[attr-defined]

    def run(
        self, x_seqs: Sequence[Tensor], states: Values, parameters: Values
    ) -> tuple[Tensor, Sequence[Tensor]]:
        r"""Spikes [T, N, \*] and the states after the last step; the first may be numbers."""
        spikes, *last = self._apply(parameters, *x_seqs, *states)
        return spikes, last


def _forward(
    program: Program, layout: Layout, launch: cpp.Launch, strides: Sequence[Strides]
) -> Callable[..., Any]:
    """From ``ctx`` if there is a backward, parameters, inputs and states: outputs and states."""
    ctx = [] if program.backward is None else ["ctx"]
    x_seqs, states = _names("x", program.n_inputs), _names("v", program.n_states)
    text = Written([*ctx, "parameters", *x_seqs, *states])
    last = [text.local(f"{text.bind(layout.step)}()") for _ in states]
    outputs = [text.local(f"{text.bind(layout.sequence)}()") for _ in range(program.n_outputs)]
    saved = [text.local(f"{text.bind(layout.saved)}({kind!r})") for kind in program.saved]
    ready = text.local(_usual(text, launch, "forward", strides))
    writes = [*outputs, *saved]
    _call(text, ready, launch, "parameters", x_seqs, states, last, writes)
    if ctx:
        kept = [*saved, *(x_seqs[i] for i in program.saved_inputs)]
        text.line(f"ctx.save_for_backward({', '.join(kept)})")
        text.line(f"ctx.given = {_tuple([f'type({state}) is not float' for state in states])}")
        text.line("ctx.parameters, ctx.backward_ran = parameters, False")
        text.line("ctx.set_materialize_grads(False)")
    return text.function(_tuple([*outputs, *last]))


def _backward(
    program: Program, layout: Layout, launch: cpp.Launch, strides: Sequence[Strides]
) -> Callable[..., Any]:
    """From ``ctx`` and the cotangents of outputs and states: those of the forward's arguments."""
    grads, states = _names("g", program.n_outputs), _names("c", program.n_states)
    text = Written(["ctx", *grads, *states])
    text.line("ctx.backward_ran = True")
    text.line(f"{text.bind(fused.check_backward)}({', '.join([*grads, *states])})")
    kept = _names("k", program.n_saved + len(program.saved_inputs))
    text.line(f"{_tuple(kept)} = ctx.saved_tensors")
    usual = (layout.size, *layout.strides)
    ordered = [
        *[usual] * (len(grads) + program.n_saved),
        *[strides[i] for i in program.saved_inputs],
    ]
    ready = _ready(text, program, layout, launch, [*grads, *kept], ordered)
    match_step = text.bind(layout.match_step)
    for state in states:
        text.line(f"{state} = 0.0 if {state} is None else {match_step}({state})")
    step, sequence = map(text.bind, (layout.step, layout.sequence))
    first = [text.local(f"{step}() if ctx.given[{i}] else None") for i in range(len(states))]
    x_grads = [text.local(f"{sequence}()") for _ in range(program.n_inputs)]
    _call(text, ready, launch, "ctx.parameters", [*grads, *kept], states, first, x_grads)
    return text.function(_tuple(["None", *x_grads, *first]))


def _ready(
    text: Written,
    program: Program,
    layout: Layout,
    launch: cpp.Launch,
    reads: Sequence[str],
    strides: Sequence[Strides],
) -> str:
    """The kernel and its sizes, where all that is read lies as usual; else bring it into order."""
    usual = _usual(text, launch, "backward", strides)
    usually = [
        f"{name} is not None and {name}.stride() == {text.bind(lies)} and not {name}.is_neg()"
        for name, lies in zip(reads, strides, strict=True)
    ]
    ready = text.local(f"{usual} if {' and '.join(usually)} else None")
    zeros, match, match_saved = map(text.bind, (layout.zeros, layout.match, layout.match_saved))
    n, m = program.n_outputs, program.n_outputs + program.n_saved
    ordered = [f"{zeros}() if {name} is None else {match}({name})" for name in reads[:n]]
    # Hooks on what is saved may give it otherwise.
    saved = zip(program.saved, reads[n:m], strict=True)
    ordered += [f"{match_saved}({kind!r}, {name})" for kind, name in saved]
    ordered += [f"{match}({name})" for name in reads[m:]]
    text.line(f"if {ready} is None: {_tuple(reads)} = {_tuple(ordered)}")
    apart = _tuple([f"{name}.stride(0)" for name in reads])
    text.line(f"if {ready} is None: {ready} = {text.bind(launch.ready)}('backward', {apart})")
    return ready


def _usual(text: Written, launch: cpp.Launch, name: str, strides: Sequence[Strides]) -> str:
    """The kernel for strides that are the usual ones; large calls ask for the threads of now."""
    apart = tuple([apart for apart, *_ in strides])
    if not launch.is_large:
        return text.bind(launch.ready(name, apart))
    return f"{text.bind(launch.ready)}({name!r}, {text.bind(apart)})"


def _call(
    text: Written,
    ready: str,
    launch: cpp.Launch,
    parameters: str,
    reads: Sequence[str],
    before: Sequence[str],
    after: Sequence[str],
    writes: Sequence[str],
) -> None:
    """Call a kernel as ``cpp.Launch`` does; all are names of local variables."""
    pointers = [f"{name}.data_ptr()" for name in reads]
    for start, end in zip(before, after, strict=True):
        pointers.append(f"0 if type({start}) is float else {start}.data_ptr()")
        pointers.append(f"0 if {end} is None else {end}.data_ptr()")
    pointers += [f"{name}.data_ptr()" for name in writes]
    starts = [f"{start} if type({start}) is float else 0.0" for start in before]
    numbers = ", ".join([f"*{text.bind(launch.numbers)}({parameters})", *starts])
    packed = f"{ready}.pack_pointers({', '.join(pointers)}), {ready}.pack_numbers({numbers})"
    text.line(f"{ready}.kernel({ready}.sizes, {packed})")


def _names(kind: str, count: int) -> list[str]:
    return [f"{kind}{i}" for i in range(count)]


def _tuple(items: Sequence[str]) -> str:
    return f"({''.join(f'{item}, ' for item in items)})"
