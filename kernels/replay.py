"""Runs a call again that differs from an earlier one in nothing but the values of its tensors.

A call of a small node lasts as long as the questions that are asked before its kernel runs. What
they were answered by is kept here for a few calls of each node, and compared instead of asked
again. Where anything is otherwise, the call goes the long way, which knows what to say of it.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._dynamo import eval_frame

from . import cpp, fused
from .call import Call, Ready
from .cpp_written import WrittenLaunch, serves
from .engine import Engine
from .guards import CHANGED
from .launch import Launch
from .layout import Layout
from .written import Written, reading

__all__ = ["is_kept", "replayed", "run"]

Values = Sequence[Tensor | float]
Apply = Callable[..., Sequence[Tensor]]

# Calls of a node that are kept: a batch and the last of an epoch, in training and without.
MOST_KEPT = 4

KEPT: "weakref.WeakKeyDictionary[Any, tuple[Replay, ...]]" = weakref.WeakKeyDictionary()

# What the latest calls of a node were like; one like none of them is not worth to be kept.
_LATEST: "weakref.WeakKeyDictionary[Any, tuple[Any, ...]]" = weakref.WeakKeyDictionary()


def run(engine: Engine, call: Call, at_once: bool = False) -> Tensor:
    """Run a call by an engine, and keep what another like it needs.

    Arguments:
        engine: The engine.
        call: The call.
        at_once: Keep it the first time that a call is of its kind, not the second.
    """
    spikes = fused.run(engine, call)
    ready = call.ready
    if isinstance(ready, Ready) and _is_replayable(call, ready):
        _keep(engine, call.node, ready, at_once)
    return spikes


def is_kept(node: Any) -> bool:
    """Whether a call of a node is kept, so that another may be like it."""
    return not torch.compiler.is_compiling() and node in KEPT


def replayed(node: Any, inputs: Sequence[Any], in_backward: bool = True) -> Tensor | None:
    r"""The spikes [T, N, \*] of a call like an earlier one, or None where there was none.

    Arguments:
        node: The node, whose states become those after the last step.
        inputs: The sequences [T, N, \*].
        in_backward: Also where a backward is under way.
    """
    if torch.compiler.is_compiling() or callable(eval_frame.get_eval_frame_callback()):
        return None
    if not in_backward and torch._C._current_graph_task_id() != -1:
        return None
    for replay in KEPT.get(node, ()):
        spikes = replay.run(node, inputs)
        if spikes is not None:
            return spikes
    return None


def _keep(engine: Engine, node: Any, ready: Ready, at_once: bool) -> None:
    """Keep what a call came to, the second time that it is of this kind; but only once."""
    x = ready.x_seqs[0]
    strides = tuple([x_seq.stride() for x_seq in ready.x_seqs])
    settings = node.backend, torch.get_default_dtype()
    kind = (engine, ready.known, *settings, x.shape, x.dtype, x.device, strides)
    latest, kept = _LATEST.get(node, ()), KEPT.get(node, ())
    if kind not in latest and not at_once:
        _LATEST[node] = (kind, *latest)[:MOST_KEPT]
    elif all(replay.kind != kind for replay in kept):
        KEPT[node] = (Replay(engine, node, ready, kind), *kept)[:MOST_KEPT]


class Replay:
    """What the questions about one call were answered by.

    Its ``run`` goes from a node and its inputs to the spikes, and leaves the states in the node;
    it gives None where the call is not like that one.

    Arguments:
        engine: What ran it.
        node: The node, to which no reference is held.
        ready: What the call brought.
        kind: What tells it from others.
    """

    def __init__(self, engine: Engine, node: Any, ready: Ready, kind: Any) -> None:
        self.kind = kind
        new = _New(engine, ready)
        self.launches = new.launches
        self.run = _written_out(node, ready, new)


class _New:
    """Makes what runs the program for what needs a gradient."""

    def __init__(self, engine: Engine, ready: Ready) -> None:
        self._engine, self._known = engine, ready.known
        self.layout = Layout(ready.x_seqs[0])
        self._has_lines = any(map(self.layout.has_lines, ready.x_seqs))
        self._strides = [x_seq.stride() for x_seq in ready.x_seqs]
        self.launches: dict[tuple[int, ...] | None, Apply] = {}

    def launch(self, wanted: tuple[int, ...] | None, parameters: Values) -> Apply | None:
        """From parameters, inputs and states to spikes and states; None where it cannot.

        Arguments:
            wanted: The parameters that need a gradient; None where nothing does.
            parameters: Those of a call.
        """
        layout, engine = self.layout, self._engine
        rounded = wanted is not None and layout.dtype.itemsize == 2
        program = self._known.program((), wanted, rounded)
        if engine.prepare(program, layout.dtype, parameters) is not None:
            return None
        launch: Launch | WrittenLaunch
        if engine.forward is cpp.forward and serves(parameters) and not self._has_lines:
            launch = WrittenLaunch(program, layout, parameters, self._strides)
        else:
            launch = Launch(engine, program, layout, parameters)
        self.launches[wanted] = launch.apply
        return launch.apply


def _is_replayable(call: Call, ready: Ready) -> bool:
    """Whether nothing had to be brought into order for the call, but one value a step."""
    layout = Layout(ready.x_seqs[0])
    return (
        ready.enlarged is None
        and not ready.couplings
        and not call.node.kept_states
        and call.node.save == "auto"
        and call.node.is_replayable
        and ready.dtype == layout.dtype
        and all(given is x for given, x in zip(call.inputs, ready.x_seqs, strict=True))
        and all(type(x) is Tensor for x in ready.x_seqs)
        and all(layout.holds(x, x.dtype) or layout.has_lines(x) for x in ready.x_seqs)
    )


def _written_out(
    node: Any, ready: Ready, new: _New
) -> Callable[[Any, Sequence[Any]], Tensor | None]:
    """The function of a node and its inputs that gives its spikes and puts its states.

    It gives None unless the inputs lie as these do, the node runs by the same backend, no
    transform is under way, the trace holds, and the states are where such a call takes them.
    """
    text = Written(("node", "inputs"), CHANGED)
    x_seqs = [f"x{i}" for i in range(len(ready.x_seqs))]
    text.require([f"len(inputs) == {len(x_seqs)}"])
    text.line(f"({', '.join(x_seqs)},) = inputs")
    for name, x_seq in zip(x_seqs, ready.x_seqs, strict=True):
        text.require(_is_like(text, name, x_seq.shape, x_seq.stride(), x_seq.dtype, x_seq.device))
    text.require(_is_set_like(text, node))
    terms, places = ready.known.guards.write(text, node)
    text.require(terms, last=f"{text.bind(ready.known.guards.are_equal)}(node)")
    memories = text.local("node._memories")
    states = [_state(text, memories, name, new.layout) for name in ready.names]
    parameters = _parameters(text, ready, places)
    launch = _launch(text, ready, new, parameters, x_seqs, states)
    text.require([f"{launch} is not None"])
    text.settle()
    last = [f"{memories}[{name!r}]" for name in ready.names]
    values = ", ".join([parameters, *x_seqs, *states])
    text.line(f"({', '.join(['spikes', *last])},) = {launch}({values})")
    if ready.known.program((), None).is_binary:
        # Who keeps it may keep bits, until it is changed in place.
        mark = reading("spikes", node.spikes_mark)
        text.line(f"if not spikes.is_inference(): {mark} = spikes._version")
    return text.function("spikes")


def _parameters(text: Written, ready: Ready, places: dict[str, str]) -> str:
    """A local variable for the parameters: those of the last call, if no number is another."""
    known = ready.known.parameters
    numbers = [text.local(_attribute(places, path)) for path in known.paths]
    given = f"{text.bind(known.given)}(({''.join(n + ', ' for n in numbers)}), node)"
    if known.are_numbers and numbers:
        seen, parameters = text.locals(f"{text.bind(known)}.last", 2)
        same = " and ".join([f"{n} is {seen}[{i}]" for i, n in enumerate(numbers)])
        text.line(f"if not ({seen} and {same}): {parameters} = {given}")
    else:
        parameters = text.local(given)
    kinds = tuple(map(_kind, ready.parameters))
    if any(kind is not None for kind in kinds):
        now = f"(*map({text.bind(_kind)}, {parameters}),)"
        text.require([f"{now} == {text.bind(kinds)}"])
    return parameters


def _launch(
    text: Written,
    ready: Ready,
    new: _New,
    parameters: str,
    x_seqs: Sequence[str],
    states: Sequence[str],
) -> str:
    """A local variable for what runs the call, by what of it needs a gradient."""
    tensors = tuple([i for i, p in enumerate(ready.parameters) if isinstance(p, Tensor)])
    learned = "()"
    if tensors:
        which = f"i for i in {text.bind(tensors)} if {parameters}[i].requires_grad"
        learned = text.local(f"tuple([{which}])")
    needs = [f"{name}.requires_grad" for name in x_seqs]
    needs += [f"type({name}) is not float and {name}.requires_grad" for name in states]
    grad = text.bind(torch.is_grad_enabled)
    wanted = text.local(f"{learned} if {grad}() and ({' or '.join([learned, *needs])}) else None")
    launches = text.bind(new.launches)
    return text.local(
        f"{launches}.get({wanted}) or {text.bind(new.launch)}({wanted}, {parameters})"
    )


def _is_like(
    text: Written,
    name: str,
    shape: torch.Size,
    strides: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> list[str]:
    """Whether a tensor lies as these say; one without strides raises what tells that it does not.

    What torch.func has wrapped, and may have left so, has no memory of its own.
    """
    wrapped = text.bind(torch._C._functorch.is_functorch_wrapped_tensor)
    here = "is_cpu" if device.type == "cpu" else f"device == {text.bind(device)}"
    return [
        f"type({name}) is {text.bind(Tensor)}",
        f"{name}.shape == {text.bind(shape)}",
        f"{name}.dtype is {text.bind(dtype)}",
        f"{name}.stride() == {text.bind(strides)}",
        f"{name}.{here}",
        f"not {name}.is_neg()",
        f"not {wrapped}({name})",
    ]


def _is_set_like(text: Written, node: Any) -> list[str]:
    """Whether a node runs as it did, and nothing is under way that follows its own lines.

    The methods that a replay does not go through are still those of the class.
    """
    skipped = {name: getattr(type(node), name) for name in node.skipped_methods}
    cls, own = text.locals("type(node), node.__dict__", 2)
    default = text.bind(torch.get_default_dtype)
    return [
        *(f"{cls}.{name} is {text.bind(method)}" for name, method in skipped.items()),
        *(f"{name!r} not in {own}" for name in skipped),
        f"node.backend == {node.backend!r}",
        "node.save == 'auto'",
        "not node.kept_states",
        f"{default}() is {text.bind(torch.get_default_dtype())}",
        f"{text.bind(torch._C._len_torch_dispatch_stack)}() == 0",
        f"{text.bind(torch._C._functorch.peek_interpreter_stack)}() is None",
        f"not {text.bind(torch._C._is_tracing)}()",
        f"{text.bind(torch.autograd.forward_ad)}._current_level < 0",
    ]


def _state(text: Written, memories: str, name: str, layout: Layout) -> str:
    """A local variable for a state: a tensor in order, or the number it is to be filled with."""
    state = text.local(f"{memories}[{name!r}]")
    text.line(f"if type({state}) is not {text.bind(Tensor)}: {state} = node.fill_value({name!r})")
    # A state whose history a backward has used needs a warning, which the long way gives.
    history = f"{state}.grad_fn"
    unused = f"({history} is None or getattr({history}, 'backward_ran', True) is False)"
    terms = _is_like(text, state, layout.shape, layout.strides, layout.precision, layout.device)
    text.require([*terms, unused], first=f"type({state}) is float")
    return state


def _attribute(places: dict[str, str], path: str) -> str:
    owner, _, name = path.rpartition(".")
    if owner in places:
        return reading(places[owner], name)
    return reading("node", *path.split("."))


def _kind(parameter: Any) -> Any:
    """What the parameters of two calls must have in common; None for a number."""
    if isinstance(parameter, Tensor):
        return parameter.shape, parameter.dtype, parameter.device
    return None
