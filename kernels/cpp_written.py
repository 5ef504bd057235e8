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

    Its ``apply`` goes from parameters, inputs and first states (tensors, or numbers that are
    those of all neurons) to the spikes and the states after the last step.

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
        self.apply: Callable[..., Sequence[Tensor]] = _forward(program, layout, launch, strides)
        if program.backward is not None:
            passes = self.apply, _backward(program, layout, launch, strides)
            names = dict(zip(("forward", "backward"), map(staticmethod, passes), strict=True))
            function: Any = type("_Written", (torch.autograd.Function,), names)
            # Its own ``apply`` unwraps what torch.func has left behind, and calls this one.
            self.apply = super(torch.autograd.Function, function).apply  # type: ignore[misc]
            # Its nodes in the graph look for this function at every backward, among others.
            function._backward_cls.apply = passes[1]


def _forward(
    program: Program, layout: Layout, launch: cpp.Launch, strides: Sequence[Strides]
) -> Callable[..., Any]:
    """From ``ctx`` if there is a backward, parameters, inputs and states: outputs and states."""
    ctx = [] if program.backward is None else ["ctx"]
    x_seqs, states = _names("x", program.n_inputs), _names("v", program.n_states)
    text = Written([*ctx, "parameters", *x_seqs, *states])
    new = _New(text, layout, x_seqs[0])
    last = [text.local(new.step()) for _ in states]
    outputs = [text.local(new.sequence()) for _ in range(program.n_outputs)]
    saved = [text.local(new.saved(kind)) for kind in program.saved]
    ready = text.local(_usual(text, launch, "forward", strides))
    _call(text, ready, "parameters", x_seqs, states, last, [*outputs, *saved])
    if ctx:
        kept = [*saved, *(x_seqs[i] for i in program.saved_inputs)]
        text.line(f"ctx.save_for_backward({', '.join(kept)})")
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
    _check(text, [*grads, *states])
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
    new = _New(text, layout, grads[0])
    at = 1 + program.n_inputs
    wanted = [f"ctx.needs_input_grad[{at + i}]" for i in range(len(states))]
    first = [text.local(f"{new.step()} if {each} else None") for each in wanted]
    x_grads = [text.local(new.sequence()) for _ in range(program.n_inputs)]
    _call(text, ready, "ctx.parameters", [*grads, *kept], states, first, x_grads)
    return text.function(_tuple(["None", *x_grads, *first]))


def _check(text: Written, grads: Sequence[str]) -> None:
    """Ask what ``fused.check_backward`` asks, and call it where it will raise."""
    functorch, grad = torch._C._functorch, text.bind(torch.is_grad_enabled)
    batched = text.bind(functorch.is_legacy_batchedtensor)
    wrong = [f"{grad}()", f"{text.bind(functorch.peek_interpreter_stack)}() is not None"]
    wrong += [f"{name} is not None and {batched}({name})" for name in grads]
    check = f"{text.bind(fused.check_backward)}({', '.join(grads)})"
    text.line(f"if {' or '.join(wrong)}: {check}")


class _New:
    """Python that makes tensors as a layout does, from one of its dtype at hand.

    What dtype and device are need not be said then, which takes a third of the time.
    """

    def __init__(self, text: Written, layout: Layout, like: str) -> None:
        self._text, self._layout, self._like = text, layout, like

    def sequence(self) -> str:
        layout = self._layout
        return self._empty((layout.steps, *layout.shape), (layout.size, *layout.strides))

    def step(self) -> str:
        layout = self._layout
        if layout.precision == layout.dtype:
            return self._empty(tuple(layout.shape), layout.strides)
        return f"{self._text.bind(layout.step)}()"

    def saved(self, kind: str) -> str:
        if kind != "bit":
            return self.sequence()
        return f"{self._text.bind(self._layout.saved)}('bit')"

    def _empty(self, shape: Strides, strides: Strides) -> str:
        place = f"{self._text.bind(shape)}, {self._text.bind(strides)}"
        return f"{self._like}.new_empty_strided({place})"


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
    numbers = ", ".join([f"*{parameters}", *starts])
    packed = f"{ready}.pack_pointers({', '.join(pointers)}), {ready}.pack_numbers({numbers})"
    text.line(f"{ready}.kernel({ready}.sizes, {packed})")


def _names(kind: str, count: int) -> list[str]:
    return [f"{kind}{i}" for i in range(count)]


def _tuple(items: Sequence[str]) -> str:
    return f"({''.join(f'{item}, ' for item in items)})"
