"""The stand-in for ``self`` in a node's hooks: memories are symbols, what is read is recorded."""

import inspect
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from .expression import Expression, leaf
from .guards import ABSENT, Guards, is_constant
from .mappable import HOOKS, why_no_map
from .proportional import is_proportional
from .scope import Scope
from .symbol import FUNCTIONS, Context, Symbol
from .uniform import Uniform
from .untraceable import Untraceable

__all__ = ["Mapped", "Recorder"]

# What a surrogate gradient is, to the engine.
SURROGATE = ("fire", "gradient", "derivative", "primitive", "spiking")


class Mapped(NamedTuple):
    """A state that goes through a linear map, as it is when the step begins.

    Arguments:
        path: Where the node holds the module.
        state: The name of the state.
    """

    path: str
    state: str


class Recorder:
    """What one trace has read and assigned so far.

    Arguments:
        node: The node.
        memories: The names of its states.
        n_inputs: The number of inputs of a step.
        double: Whether its state is float64, else float32.
        guards: Takes what the trace takes for granted.
    """

    def __init__(
        self, node: Any, memories: tuple[str, ...], n_inputs: int, double: bool, guards: Guards
    ) -> None:
        self.node, self.guards, self.scope = node, guards, Scope(guards)
        self.context = Context(self.parameter, double)
        self.pool: dict[object, Expression] = {}
        self.inputs = tuple(leaf(f"x{i}", self.pool) for i in range(n_inputs))
        self.leaves = {name: leaf(f"state_{name}", self.pool) for name in memories}
        self.states: dict[str, Any] = {
            name: Symbol(state, self.context) for name, state in self.leaves.items()
        }
        self.parameters: list[tuple[Uniform, Expression]] = []
        self.mapped: dict[Mapped, Expression] = {}
        self._attributes: dict[str, Uniform] = {}

    def symbols(self) -> list[Symbol]:
        """The inputs as the step gets them."""
        fixed = "changes its input in place"
        return [Symbol(x, self.context, fixed=fixed) for x in self.inputs]

    def stand_in(self, path: str = "") -> Any:
        """What plays ``self`` (or a surrogate inside it) in the hooks."""
        owner = _at(self.node, path)
        cls = type(owner)
        self.guards.cls(path, cls)
        # type(self) cannot be made to lie, but its name can.
        names = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        stand_in: Any = object.__new__(type(cls.__name__, (_StandIn,), names))
        for name, value in (("_recorder", self), ("_path", path), ("_owner", owner)):
            object.__setattr__(stand_in, name, value)
        return stand_in

    def parameter(self, uniform: Uniform) -> Expression:
        """The leaf of a value that is the same at every step."""
        value = uniform.value
        if not isinstance(value, bool | int | float | torch.Tensor):
            raise Untraceable(f"computes with a {type(value).__name__}")
        if isinstance(value, torch.Tensor) and value.is_complex():
            raise Untraceable("computes with a complex tensor")
        for known, made in self.parameters:
            if known is uniform:
                return made
        made = leaf(f"p{len(self.parameters)}", self.pool)
        self.parameters.append((uniform, made))
        return made

    def read(self, owner: Any, path: str, name: str) -> Any:
        """What the attribute ``name`` is to the hooks."""
        if not path and name in self.states:
            return self.states[name]
        cls = type(owner)
        found = inspect.getattr_static(cls, name, ABSENT)
        if isinstance(found, property):
            return self._property(owner, path, name, found)
        if name in vars(owner):
            return self._of_instance(owner, path, name)
        if isinstance(found, types.FunctionType):
            self.guards.of_class(path, name, found)
            self.scope.read(found, cls)
            return types.MethodType(found, self.stand_in(path))
        if isinstance(found, staticmethod | classmethod):
            return self._static(owner, path, name, found)
        try:
            value = getattr(owner, name)
        except AttributeError as error:
            self.guards.absent(path, name)
            raise AttributeError(str(error)) from None  # from the hook's line, not from ours
        return self.held(path, name, value)

    def assign(self, path: str, name: str, value: Any) -> None:
        """Set a memory; nothing else may be set."""
        if path or name not in self.states:
            raise Untraceable(
                f"assigns self.{name}, which is no memory: declare it with register_memory"
            )
        self.states[name] = value

    def _property(self, owner: Any, path: str, name: str, found: property) -> Any:
        self.guards.of_class(path, name, found)
        if not isinstance(found.fget, types.FunctionType):
            raise Untraceable(f"reads {name}, a property that is no plain function")
        self.scope.read(found.fget, type(owner))
        return found.fget(self.stand_in(path))

    def _static(self, owner: Any, path: str, name: str, found: Any) -> Any:
        value, cls = getattr(owner, name), type(owner)
        self.guards.of_class(path, name, getattr(cls, name))
        if not isinstance(found.__func__, types.FunctionType):
            raise Untraceable(f"calls {name}, a {type(found.__func__).__name__}")
        if isinstance(found, classmethod):
            self.scope.read_class_method(found.__func__, cls)
        else:
            self.scope.read(found.__func__, cls)
        return value

    def _of_instance(self, owner: Any, path: str, name: str) -> Any:
        """An attribute in the instance's own ``__dict__``; a method put there plays on."""
        value = vars(owner)[name]
        if isinstance(value, types.MethodType) and value.__self__ is owner:
            function = value.__func__
            self.guards.fact(_function_at(f"{path}.{name}"), function)
            if not isinstance(function, types.FunctionType):
                raise Untraceable(f"calls {name}, a {type(function).__name__}")
            self.scope.read(function, type(owner))
            return types.MethodType(function, self.stand_in(path))
        return self.held(path, name, value)

    def held(self, owner: str, name: str, value: Any) -> Any:
        """What an attribute that is no method is to the hooks."""
        path = f"{owner}.{name}" if owner else name
        if not isinstance(value, bool) and isinstance(value, int | float | torch.Tensor):
            if path not in self._attributes:
                self._attributes[path] = Uniform.attribute(self.guards, path, value)
            return self._attributes[path]
        self.guards.value(owner, name, value)
        if is_constant(value) or (callable(value) and _in_table(value)):
            return value
        if isinstance(value, types.FunctionType):
            self.scope.read(value, type(self.node))
            return value
        if all(hasattr(value, name) for name in SURROGATE):
            return self._surrogate(path, value)
        if path == "surrogate_function":
            raise Untraceable(
                f"fires by {_kind(value)}, which has no derivative(u) to trace: subclass "
                "surrogate.Surrogate"
            )
        if isinstance(value, torch.nn.Module):
            return self._linear_map(path, value)
        raise Untraceable(f"reads {path}, a {type(value).__name__}, which may change unseen")

    def _linear_map(self, path: str, module: torch.nn.Module) -> "_LinearMap":
        """What plays a module that is a linear map."""
        reason = why_no_map(module)
        if reason is not None:
            raise Untraceable(f"uses the module {path} ({type(module).__name__}), {reason}")
        self.guards.fact(_reason_at(path), None)
        return _LinearMap(self, path)

    def through(self, path: str, value: Any) -> Symbol:
        """What a linear map makes of a state, by a leaf: another input of the step."""
        expression = value.expression if type(value) is Symbol else None
        states = [name for name, state in self.leaves.items() if state is expression]
        if not states:
            kind = type(_at(self.node, path)).__name__
            raise Untraceable(
                f"uses the module {path} ({kind}) on what is no memory as the step began"
            )
        mapped = Mapped(path, states[0])
        if mapped not in self.mapped:
            number = len(self.inputs) + len(self.mapped)
            self.mapped[mapped] = leaf(f"x{number}", self.pool)
        return value.wrap(self.mapped[mapped])

    def _surrogate(self, path: str, function: Any) -> Any:
        self._check_forward(path, function)
        stand_in = self.stand_in(path)
        if not stand_in.spiking:
            return lambda u: stand_in.primitive(u)

        def spike(u: Any) -> Symbol:
            if type(u) is not Symbol:
                raise Untraceable("fires at a value that is not of the data")
            cotangent = Symbol(leaf("cotangent", self.pool), self.context)
            if not is_proportional(stand_in.gradient(u, cotangent), cotangent.expression):
                raise Untraceable(
                    "has a surrogate gradient that is not linear in the incoming one"
                )
            # A linear gradient is told whole by that of 1.
            return u.spike(stand_in.fire(u), stand_in.gradient(u, u.lift(1.0)))

        return spike

    def _check_forward(self, path: str, function: Any) -> None:
        """A surrogate is called through fire and gradient: nothing else may be in between."""
        cls = type(function)
        base = [c for c in cls.__mro__ if "gradient" in vars(c) and "fire" in vars(c)]
        for name in ("forward", "__call__"):
            self.guards.of_class(path, name, getattr(cls, name, ABSENT))
        forward = next((c for c in cls.__mro__ if "forward" in vars(c)), None)
        if not base or forward is not base[-1] or cls.__call__ is not torch.nn.Module.__call__:
            raise Untraceable(f"fires by {cls.__name__}, which has a forward of its own")
        self.guards.empty(path, HOOKS)
        if any(getattr(function, name) for name in HOOKS):
            raise Untraceable(f"fires by {cls.__name__} with hooks registered on it")


class _StandIn:
    """Plays the node in its hooks."""

    __slots__ = ("_owner", "_path", "_recorder")

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        owner: Any = object.__getattribute__(self, "_owner")
        return type(owner)

    def __getattribute__(self, name: str) -> Any:
        own = object.__getattribute__
        if name == "__class__":
            return own(self, name)
        return own(self, "_recorder").read(own(self, "_owner"), own(self, "_path"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        own = object.__getattribute__
        own(self, "_recorder").assign(own(self, "_path"), name, value)

    def __delattr__(self, name: str) -> None:
        raise Untraceable(f"deletes self.{name}")


class _LinearMap:
    """Plays a linear map in the hooks: gives its parameters, and takes a memory."""

    def __init__(self, recorder: Recorder, path: str) -> None:
        self._recorder, self._path = recorder, path

    def __call__(self, state: Any) -> Symbol:
        return self._recorder.through(self._path, state)

    def parameters(self) -> Iterator[Any]:
        """As they are for a trace."""
        for name in ("weight", "bias"):
            found = getattr(self, name)
            if found is not None:
                yield found

    def __getattr__(self, name: str) -> Any:
        if name not in ("weight", "bias"):
            raise Untraceable(f"reads {self._path}.{name}, of a module")
        recorder, path = self._recorder, self._path
        return recorder.held(path, name, getattr(_at(recorder.node, path), name))


def _reason_at(path: str) -> Any:
    return lambda node: why_no_map(_at(node, path))


def _at(node: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        node = getattr(node, name)
    return node


def _kind(value: Any) -> str:
    return getattr(value, "__qualname__", None) or f"a {type(value).__name__}"


def _in_table(value: Any) -> bool:
    try:
        return value in FUNCTIONS
    except TypeError:
        return False


def _function_at(path: str) -> Any:
    def read(node: Any) -> Any:
        *owners, name = path.split(".")
        for step in filter(None, owners):
            node = getattr(node, step)
        return getattr(vars(node).get(name), "__func__", None)

    return read
