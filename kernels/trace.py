"""Runs a node's own step once on symbolic values and keeps what it did."""

import traceback
import types
from dataclasses import dataclass
from typing import Any

import torch

from .expression import Expression, leaf
from .symbol import Symbol, Untraceable
from .uniform import Guards, Uniform

__all__ = ["Trace", "trace"]


@dataclass(frozen=True)
class Trace:
    """One step of a node.

    Arguments:
        inputs: Leaves of the inputs.
        states: Name and leaf of each state.
        new_states: Each state after the step, in the same order.
        spike: The output.
        parameters: What stays the same at every step, with the leaf that stands for it.
        guards: What the trace took for granted.
    """

    inputs: tuple[Expression, ...]
    states: tuple[tuple[str, Expression], ...]
    new_states: tuple[Expression, ...]
    spike: Expression
    parameters: tuple[tuple[Uniform, Expression], ...]
    guards: Guards


def trace(
    node: Any, memories: tuple[str, ...], n_inputs: int = 1, guards: Guards | None = None
) -> Trace:
    """Trace ``node.single_step_forward``.

    Arguments:
        node: The node.
        memories: The names of its states.
        n_inputs: The number of inputs of a step.
        guards: Collects what the trace takes for granted, also where it fails.

    Raises:
        Untraceable: The step does what no kernel can; the text names function and line.
    """
    recorder = _Recorder(node, memories, n_inputs, guards or Guards())
    stand_in = recorder.stand_in()
    inputs = [Symbol(x, recorder.parameter) for x in recorder.inputs]
    try:
        spike = type(node).single_step_forward(stand_in, *inputs)
    except Untraceable as error:
        raise Untraceable(f"{_place(error)} {error}") from error
    except Exception as error:
        # Eager tells it better, or does not fail: its tensors can do more than symbols.
        raise Untraceable(
            f"{_place(error)} raises {type(error).__name__} while traced: {error}"
        ) from error
    if type(spike) is not Symbol:
        raise Untraceable(
            f"single_step_forward returns {_kind(spike)}, not one tensor of the step"
        )
    return Trace(
        recorder.inputs,
        tuple(recorder.leaves.items()),
        tuple(recorder.states.values()),
        spike.expression,
        tuple(recorder.parameters),
        recorder.guards,
    )


class _Recorder:
    """What one trace has read and assigned so far."""

    def __init__(
        self, node: Any, memories: tuple[str, ...], n_inputs: int, guards: Guards
    ) -> None:
        self.node, self.guards = node, guards
        self.pool: dict[object, Expression] = {}
        self.inputs = tuple(leaf(f"x{i}", self.pool) for i in range(n_inputs))
        self.leaves = {name: leaf(f"state_{name}", self.pool) for name in memories}
        self.states: dict[str, Expression] = dict(self.leaves)
        self.parameters: list[tuple[Uniform, Expression]] = []
        self._attributes: dict[str, Uniform] = {}

    def stand_in(self, path: str = "") -> Any:
        """What plays ``self`` (or a module inside it) in the hooks."""
        owner = _attribute(self.node, path) if path else self.node
        stand_in = object.__new__(_StandIn)
        object.__setattr__(stand_in, "_recorder", self)
        object.__setattr__(stand_in, "_path", path)
        object.__setattr__(stand_in, "_owner", owner)
        return stand_in

    def parameter(self, uniform: Uniform) -> Expression:
        """The leaf of a value that is the same at every step."""
        value = uniform.value
        if not isinstance(value, bool | int | float | torch.Tensor):
            raise Untraceable(f"computes with a {type(value).__name__}")
        for known, made in self.parameters:
            if known is uniform:
                return made
        made = leaf(f"p{len(self.parameters)}", self.pool)
        self.parameters.append((uniform, made))
        return made

    def read(self, owner: Any, path: str, name: str) -> Any:
        """What the attribute ``name`` is to the hooks."""
        full = f"{path}.{name}" if path else name
        if not path and name in self.states:
            return Symbol(self.states[name], self.parameter)
        found = _of_class(type(owner), name)
        if isinstance(found, types.FunctionType) and name not in vars(owner):
            self._guard_class(path, name, found)
            return types.MethodType(found, self.stand_in(path))
        if isinstance(found, property) and found.fget is not None:
            self._guard_class(path, name, found)
            return found.fget(self.stand_in(path))
        if isinstance(found, staticmethod | classmethod):
            self._guard_class(path, name, found)
            return getattr(owner, name)
        return self._value(full, getattr(owner, name))

    def _value(self, path: str, value: Any) -> Any:
        if value is None or isinstance(value, bool | str):
            self.guards.add(lambda node: _attribute(node, path), value)
            return value
        if isinstance(value, int | float | torch.Tensor):
            if path not in self._attributes:
                self._attributes[path] = Uniform.attribute(self.guards, self.node, path)
            return self._attributes[path]
        if path == "surrogate_function":
            self.guards.add(lambda node: node.surrogate_function, value)
            return self._surrogate(value)
        if isinstance(value, torch.nn.Module):
            raise Untraceable(f"uses the module {path} ({type(value).__name__})")
        raise Untraceable(f"reads {path}, a {type(value).__name__}")

    def _surrogate(self, function: Any) -> Any:
        needed = ("fire", "gradient", "derivative", "spiking")
        if not all(hasattr(function, name) for name in needed):
            raise Untraceable(
                f"fires by {_kind(function)}, which has no derivative(u) to trace: subclass "
                "surrogate.Surrogate"
            )
        stand_in = self.stand_in("surrogate_function")
        if not stand_in.spiking:
            return lambda u: stand_in.primitive(u)
        # The backward is linear in the incoming gradient, so that of 1 tells the whole.
        return lambda u: u.spike(stand_in.fire(u), stand_in.gradient(u, u.number(1.0)))

    def _guard_class(self, path: str, name: str, found: Any) -> None:
        def read(node: Any) -> Any:
            owner = _attribute(node, path) if path else node
            return vars(owner).get(name, _of_class(type(owner), name))

        self.guards.add(read, found)


class _StandIn:
    """Plays the node in its hooks: memories are symbols, attributes are recorded as read."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        owner: Any = object.__getattribute__(self, "_owner")
        return type(owner)

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__" or name in ("_recorder", "_path", "_owner"):
            return object.__getattribute__(self, name)
        return self._recorder.read(self._owner, self._path, name)

    def __setattr__(self, name: str, value: Any) -> None:
        recorder = self._recorder
        if self._path or name not in recorder.states:
            raise Untraceable(
                f"assigns self.{name}, which is no memory: declare it with register_memory"
            )
        like = Symbol(recorder.states[name], recorder.parameter)
        recorder.states[name] = like.operand(value)


def _of_class(owner: type, name: str) -> Any:
    """What the class says of a name, as it stands there; inspect's own is 10 times slower."""
    for base in owner.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def _attribute(node: Any, path: str) -> Any:
    for name in path.split("."):
        node = getattr(node, name)
    return node


def _kind(value: Any) -> str:
    name = getattr(value, "__name__", None)
    return f"{name}" if name else f"a {type(value).__name__}"


def _place(error: BaseException) -> str:
    """The innermost line of the user's that led to the error."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_HERE)]
    frame = own[-1] if own else frames[-1]
    return f"{frame.name} ({frame.filename}:{frame.lineno})"


_HERE = __file__.removesuffix("trace.py")
