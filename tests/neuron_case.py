"""A row of the registry of neurons: how to make one, and its equations written out once more."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from reference import fire
from torch import Tensor

__all__ = ["RESETS", "NeuronCase", "reset_potential", "sequence"]

# v_reset, detach_reset.
RESETS = ((0.0, False), (0.0, True), (-0.3, False), (None, False), (None, True))

States = tuple[Tensor, ...]
Literal = Callable[[Any, States, Any, Tensor], tuple[Tensor, States]]


@dataclass(frozen=True, eq=False)
class NeuronCase:
    """A neuron and its literal equations.

    Arguments:
        name: What tests call it.
        make: Makes it.
        charge: Its charge ``h = charge(v, x, rest, node)``, where all else is as of an IFNode; or
        literal: ``(node, states, inputs, given)`` to output and new states, spikes as given.
        arguments: How it is made.
        states: The names of its states.
        hidden: What the literal equations keep besides, as it starts.
        options: Further constructor arguments to be tested, one set at a time.
        drive: Factor and shift of inputs under which it sometimes fires.
        inputs: The number of inputs of a step.
        spikes: Whether its output is spikes.
        exact: Whether it is made of + - * / and comparisons, so that all backends agree bit by
            bit.
    """

    name: str
    make: type
    charge: Callable[[Tensor, Tensor, float, Any], Tensor] | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    literal: Literal | None = None
    states: tuple[str, ...] = ("v",)
    hidden: tuple[float, ...] = ()
    options: tuple[dict[str, Any], ...] = tuple(
        {"v_reset": v_reset, "detach_reset": detach} for v_reset, detach in RESETS
    )
    drive: tuple[float, float] = (1.0, 0.0)
    inputs: int = 1
    spikes: bool = True
    exact: bool = True

    def __call__(self, **overrides: Any) -> Any:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            return self.make(**(self.arguments | overrides))

    def __str__(self) -> str:
        return self.name

    def takes(self, name: str) -> bool:
        """Whether its constructor has this argument."""
        for cls in self.make.__mro__:
            arguments = inspect.signature(cls.__init__).parameters.values()
            if any(argument.name == name for argument in arguments):
                return True
            if all(argument.kind != argument.VAR_KEYWORD for argument in arguments):
                return False
        return False

    def known(self, **options: Any) -> dict[str, Any]:
        """Those of the arguments that its constructor has."""
        return {name: value for name, value in options.items() if self.takes(name)}

    def step(self, node: Any, states: States, x: Any, given: Tensor) -> tuple[Tensor, States]:
        """Its equations: output and new states, replaying the output that is given."""
        if self.literal is not None:
            return self.literal(node, states, x, given)
        rest = 0.0 if node.v_reset is None else node.v_reset
        assert self.charge is not None
        h = self.charge(states[0], x[0], rest, node)
        s = fire(h - node.v_threshold, given)
        return s, (reset_potential(node, h, s),)

    def sequences(self, size: tuple[int, ...], **options: Any) -> list[Tensor]:
        """Random inputs [T, N, *] under which it sometimes fires."""
        scale, shift = self.drive
        seed = options.pop("seed", 0)
        drawn = [sequence(size, seed=seed + 7 * i, **options) for i in range(self.inputs)]
        return [drawn[0] * scale + shift, *(x - 0.9 for x in drawn[1:])]


def reset_potential(node: Any, h: Tensor, s: Tensor) -> Tensor:
    """Hard or soft reset, written out."""
    s = s.detach() if node.detach_reset else s
    if node.v_reset is None:
        return h - s * node.v_threshold
    return s * node.v_reset + (1 - s) * h


def sequence(size: tuple[int, ...], T: int = 7, seed: int = 0, **options: Any) -> Tensor:
    """A random input [T, N, *] under which neurons of threshold 1 sometimes fire."""
    generator = torch.Generator().manual_seed(seed)
    x_seq = torch.rand(T, *size, generator=generator, dtype=torch.float64) * 2.4 - 0.3
    return x_seq.to(**({"dtype": torch.float32} | options))
