"""Runs a node's own step once on symbolic values and keeps what it did."""

import random
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch.overrides import TorchFunctionMode

from . import functions as functions
from .expression import Expression
from .guards import Guards
from .recorder import Mapped, Recorder
from .symbol import RANDOM, Symbol
from .transforms import is_transformed
from .uniform import Uniform, UniformTensor
from .untraceable import Untraceable, located

__all__ = ["Trace", "clean", "trace"]

# Tensors that a step makes out of nothing are made anew for every call.
FACTORIES = (torch.tensor, torch.as_tensor, torch.zeros, torch.ones, torch.full)


# Another thread may move a generator of random numbers while a step is traced, but not each time.
ATTEMPTS = 5


class _GeneratorMoved(Untraceable):
    """A generator of random numbers is not where it was before the step."""


@dataclass(frozen=True)
class Trace:
    """One step of a node.

    Arguments:
        inputs: Leaves of the inputs, then of what comes of the maps.
        states: Name and leaf of each state.
        new_states: Each state after the step, in the same order.
        spike: The output.
        parameters: What stays the same at every step, with the leaf that stands for it.
        guards: What the trace took for granted.
        codes: The code that ran, by which a trace that was checked is known again.
        maps: The linear maps that states go through before the step.
    """

    inputs: tuple[Expression, ...]
    states: tuple[tuple[str, Expression], ...]
    new_states: tuple[Expression, ...]
    spike: Expression
    parameters: tuple[tuple[Uniform, Expression], ...]
    guards: Guards
    codes: frozenset[types.CodeType] = frozenset()
    maps: tuple[Mapped, ...] = ()

    @property
    def n_inputs(self) -> int:
        """The number of inputs that are given to the step."""
        return len(self.inputs) - len(self.maps)


def trace(
    node: Any,
    memories: tuple[str, ...],
    n_inputs: int = 1,
    double: bool = False,
    guards: Guards | None = None,
) -> Trace:
    """Trace ``node.single_step_forward``.

    Arguments:
        node: The node.
        memories: The names of its states.
        n_inputs: The number of inputs of a step.
        double: Whether the state is float64, else float32.
        guards: Takes what the trace takes for granted, even if it fails.

    Raises:
        Untraceable: The step does what no kernel can; the text names function and line.
    """
    guards = guards or Guards()
    for _ in range(ATTEMPTS - 1):
        try:
            return _once(node, memories, n_inputs, double, guards)
        except Untraceable as error:
            if not isinstance(error.__cause__, _GeneratorMoved):
                raise
    return _once(node, memories, n_inputs, double, guards)


def _once(
    node: Any, memories: tuple[str, ...], n_inputs: int, double: bool, guards: Guards
) -> Trace:
    recorder = Recorder(node, memories, n_inputs, double, guards)
    _check_frame(node, recorder.guards)
    _check_memories(node, memories, recorder.guards)
    inputs = recorder.symbols()
    try:
        with clean(), _without_random_numbers(), _Factories(recorder.guards):
            spike = recorder.stand_in().single_step_forward(*inputs)
        outputs = _outputs(recorder, spike, inputs)
        if not recorder.guards.hold(node):
            raise Untraceable("changes what it reads while it runs")
    except Exception as error:
        # Whatever a step raises, running it eagerly raises it again, where the user sees it.
        raise located(error) from error
    return Trace(
        (*recorder.inputs, *recorder.mapped.values()),
        tuple(recorder.leaves.items()),
        tuple(outputs[1:]),
        outputs[0],
        tuple(recorder.parameters),
        recorder.guards,
        frozenset(recorder.scope.codes),
        tuple(recorder.mapped),
    )


@contextmanager
def clean() -> Iterator[None]:
    """Grad mode, inference mode and autocast as if nothing had been said of them.

    Nor do a checkpoint's hooks see what is saved here: they count it, and would the first time
    only.
    """
    hooks = torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is)
    with (
        nullcontext() if is_transformed() else hooks,  # which a transform does not take
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
    ):
        yield


def _as_it_is(value: Any) -> Any:
    return value


def _check_frame(node: Any, guards: Guards) -> None:
    """What a sequence by the node's lines goes through beside its step is what kernels replace.

    A class says so by ``composed``, why its sequences are not made of steps, and ``frame``, the
    methods around a step as they are where nobody has written others.
    """
    composed = getattr(node, "composed", None)
    if composed is not None:
        guards.value("", "composed", composed)
        raise Untraceable(composed)
    for name, usual in getattr(type(node), "frame", {}).items():
        if not _has_usual(name, usual)(node):
            guards.fact(_has_usual(name, usual), False)
            raise Untraceable(f"its {name} is its own, which only a loop of its lines calls")
        guards.of_class("", name, usual)


def _has_usual(name: str, usual: Any) -> Callable[[Any], bool]:
    return lambda node: getattr(type(node), name) is usual and name not in vars(node)


def _check_memories(node: Any, memories: tuple[str, ...], guards: Guards) -> None:
    guards.keys("_memories", memories)
    for name in memories:
        value = getattr(node, name)
        if not _is_state(value):
            guards.fact(_state_at(name), False)
            raise Untraceable(f"its memory {name} is a {type(value).__name__}, not a tensor")


def _state_at(name: str) -> Callable[[Any], bool]:
    return lambda node: _is_state(getattr(node, name))


def _is_state(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.is_floating_point()
    return isinstance(value, int | float) and not isinstance(value, bool)


def _outputs(recorder: Recorder, spike: Any, inputs: list[Symbol]) -> list[Expression]:
    """The spike, then the new states, which must be tensors of the data."""
    if type(spike) is not Symbol:
        raise Untraceable(f"returns a {type(spike).__name__}, not one tensor of the step")
    for name, state in recorder.states.items():
        if type(state) is not Symbol:
            raise Untraceable(f"leaves self.{name} as a {_shown(state)}, not a tensor of the data")
        if state.boolean or (state.single and recorder.context.double):
            raise Untraceable(f"leaves self.{name} as a truth value: write .to(x.dtype)")
    kept = [spike, *recorder.states.values(), *inputs]
    if recorder.context.in_place and len({id(symbol) for symbol in kept}) < len(kept):
        raise Untraceable("changes tensors in place and keeps one under two names")
    return [symbol.operand(symbol) for symbol in kept[: len(kept) - len(inputs)]]


def _shown(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return "tensor of the node"
    return value.__class__.__name__  # of what a uniform value stands for


class _Factories(TorchFunctionMode):
    """Sees the torch functions that are called on no symbol."""

    def __init__(self, guards: Guards) -> None:
        super().__init__()
        self.guards = guards

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        given = list(_flat((*args, *(kwargs or {}).values())))
        if name in RANDOM or name.rstrip("_") in RANDOM:
            raise Untraceable(f"draws random numbers (torch.{name})")
        # Not all of torch's functions ask their arguments what they are before they read them.
        for kind in (Symbol, UniformTensor):
            if any(type(value) is kind for value in given):
                return kind.__torch_function__(function, (), args, kwargs)
        if function in FACTORIES:
            return Uniform.made(self.guards, function, args, kwargs or {})
        return function(*args, **(kwargs or {}))


def _flat(given: Any) -> Iterator[Any]:
    for value in given:
        if type(value) in (list, tuple):
            yield from _flat(value)
        else:
            yield value


@contextmanager
def _without_random_numbers() -> Iterator[None]:
    """Refuse a step that has moved a generator of random numbers, and move it back."""
    before = _generators()
    yield
    after = _generators()
    if not _equal(before, after):
        torch.set_rng_state(before[0])
        random.setstate(before[1])
        numpy.random.set_state(before[2])
        raise _GeneratorMoved("draws random numbers")


def _generators() -> tuple[Any, ...]:
    return torch.get_rng_state(), random.getstate(), numpy.random.get_state()


def _equal(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    torchs, pythons, numpys = zip(before, after, strict=True)
    arrays_equal = numpy.array_equal(numpys[0][1], numpys[1][1])
    return (
        torch.equal(*torchs)
        and pythons[0] == pythons[1]
        and arrays_equal
        and numpys[0][2:] == numpys[1][2:]
    )
