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

__all__ = ["replayed", "run"]

Values = Sequence[Tensor | float]

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


def replayed(node: Any, inputs: Sequence[Any]) -> Tensor | None:
    r"""The spikes [T, N, \*] of a call like an earlier one, or None where there was none.

    Arguments:
        node: The node, whose states become those after the last step.
        inputs: The sequences [T, N, \*].
    """
    if torch.compiler.is_compiling() or callable(eval_frame.get_eval_frame_callback()):
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

    Arguments:
        engine: What ran it.
        node: The node, to which no reference is held.
        ready: What the call brought.
        kind: What tells it from others.
    """

    def __init__(self, engine: Engine, node: Any, ready: Ready, kind: Any) -> None:
        self.kind = kind
        self._engine, self._known, self._names = engine, ready.known, ready.names
        self._layout = Layout(ready.x_seqs[0])
        self._has_lines = any(map(self._layout.has_lines, ready.x_seqs))
        self._strides = [x_seq.stride() for x_seq in ready.x_seqs]
        self._brought = _written_out(node, ready, self._layout)
        self._kinds = tuple(map(_kind, ready.parameters))
        self._tensors = [i for i, kind in enumerate(self._kinds) if kind is not None]
        self.launches: dict[tuple[int, ...] | None, Launch | WrittenLaunch] = {}

    def run(self, node: Any, inputs: Sequence[Any]) -> Tensor | None:
        """The spikes, or None where the call is not like that one."""
        brought = self._brought(node, inputs)
        if brought is None:
            return None
        states, numbers = brought
        parameters = self._known.parameters.given(numbers, node)
        if self._tensors and tuple(map(_kind, parameters)) != self._kinds:
            return None
        wanted = self._wanted(inputs, states, parameters) if torch.is_grad_enabled() else None
        launch = self.launches.get(wanted) or self._new_launch(wanted, parameters)
        if launch is None:
            return None
        spikes, last = launch.run(inputs, states, parameters)
        for name, state in zip(self._names, last, strict=True):
            node._memories[name] = state
        return spikes

    def _wanted(
        self, inputs: Sequence[Tensor], states: Values, parameters: Values
    ) -> tuple[int, ...] | None:
        """The parameters that need a gradient; None where nothing does."""
        wanted = tuple([i for i in self._tensors if parameters[i].requires_grad])  # type: ignore[union-attr]
        if wanted or any(x.requires_grad for x in inputs):
            return wanted
        is_state = any(type(s) is not float and s.requires_grad for s in states)  # type: ignore[union-attr]
        return wanted if is_state else None

    def _new_launch(
        self, wanted: tuple[int, ...] | None, parameters: Values
    ) -> Launch | WrittenLaunch | None:
        """What runs the program for what needs a gradient; None where the engine cannot."""
        layout, engine = self._layout, self._engine
        rounded = wanted is not None and layout.dtype.itemsize == 2
        program = self._known.program((), wanted, rounded)
        if engine.prepare(program, layout.dtype, parameters) is not None:
            return None
        launch: Launch | WrittenLaunch
        if engine.forward is cpp.forward and serves(parameters) and not self._has_lines:
            launch = WrittenLaunch(program, layout, parameters, self._strides)
        else:
            launch = Launch(engine, program, layout, parameters)
        self.launches[wanted] = launch
        return launch


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
    node: Any, ready: Ready, layout: Layout
) -> Callable[[Any, Sequence[Any]], tuple[list[Tensor | float], tuple[Any, ...]] | None]:
    """The function of a node and its inputs that gives the states and the attributes it reads.

    It gives None unless the inputs lie as these do, the node runs by the same backend, no
    transform is under way, the trace holds, and the states are where such a call takes them.
    """
    text = Written(("node", "inputs"), CHANGED)
    names = [f"x{i}" for i in range(len(ready.x_seqs))]
    text.require([f"len(inputs) == {len(names)}"])
    text.line(f"({', '.join(names)},) = inputs")
    for name, x_seq in zip(names, ready.x_seqs, strict=True):
        text.require(_is_like(text, name, x_seq.shape, x_seq.stride(), x_seq.dtype, x_seq.device))
    text.require(_is_set_like(text, node))
    terms, places = ready.known.guards.write(text, node)
    text.require(terms, last=f"{text.bind(ready.known.guards.are_equal)}(node)")
    states = [_state(text, name, layout) for name in ready.names]
    numbers = [_attribute(places, path) for path in ready.known.parameters.paths]
    return text.function(f"([{', '.join(states)}], ({''.join(n + ', ' for n in numbers)}))")


def _is_like(
    text: Written,
    name: str,
    shape: torch.Size,
    strides: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> list[str]:
    """Whether a tensor lies as these say."""
    return [
        f"type({name}) is {text.bind(Tensor)}",
        f"{name}.shape == {text.bind(shape)}",
        f"{name}.dtype is {text.bind(dtype)}",
        f"{name}.layout is {text.bind(torch.strided)}",
        f"{name}.stride() == {text.bind(strides)}",
        f"{name}.device == {text.bind(device)}",
        f"not {name}.is_neg()",
    ]


def _is_set_like(text: Written, node: Any) -> list[str]:
    """Whether a node runs as it did, and nothing is under way that follows its own lines."""
    default = text.bind(torch.get_default_dtype)
    return [
        f"node.backend == {node.backend!r}",
        "node.save == 'auto'",
        "not node.kept_states",
        f"{default}() is {text.bind(torch.get_default_dtype())}",
        f"{text.bind(torch._C._len_torch_dispatch_stack)}() == 0",
        f"{text.bind(torch._C._functorch.peek_interpreter_stack)}() is None",
        f"not {text.bind(torch._C._is_tracing)}()",
        f"{text.bind(torch.autograd.forward_ad)}._current_level < 0",
    ]


def _state(text: Written, name: str, layout: Layout) -> str:
    """A local variable for a state: a tensor in order, or the number it is to be filled with."""
    state = text.local(f"node._memories[{name!r}]")
    text.line(f"if type({state}) is not {text.bind(Tensor)}: {state} = node.fill_value({name!r})")
    text.require([f"{state} is not None"])
    terms = _is_like(text, state, layout.shape, layout.strides, layout.precision, layout.device)
    # A state whose history a backward has used needs a warning, which the long way gives.
    history = text.local(f"getattr({state}, 'grad_fn', None)")
    unused = f"({history} is None or getattr({history}, 'backward_ran', True) is False)"
    text.require([unused, *terms], first=f"type({state}) is float")
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
