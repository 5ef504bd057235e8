"""A program whose step hears its own states through linear maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from .coupling import Coupling
from .program import Code, Program

__all__ = ["Coupled"]

Parts = Sequence[Tensor]


@dataclass(frozen=True, eq=False)
class Coupled:
    """A program whose last inputs are what comes of linear maps: to its engine, a program.

    The weights are its last parameters.

    Arguments:
        step: The program.
        couplings: The maps, in the order of these inputs.
        differentiated: The parameters that get a gradient.
    """

    step: Program
    couplings: tuple[Coupling, ...]
    differentiated: tuple[int, ...]

    @property
    def n_inputs(self) -> int:
        """The number of inputs that are given."""
        return self.step.n_inputs - len(self.couplings)

    @property
    def n_states(self) -> int:
        """The number of states."""
        return self.step.n_states

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return self.step.n_outputs

    @property
    def backward(self) -> Code | None:
        """That of the program; None where there is none."""
        return self.step.backward

    @property
    def saved_inputs(self) -> tuple[int, ...]:
        """Which of the inputs that are given the backward reads."""
        return tuple(i for i in self.step.saved_inputs if i < self.n_inputs)

    @property
    def without_backward(self) -> "Coupled":
        """One that gives the same outputs and states and saves nothing."""
        return Coupled(self.step.without_backward, self.couplings, ())

    @cached_property
    def heard(self) -> tuple[int, ...]:
        """The states that go through a map."""
        return tuple(sorted({coupling.state for coupling in self.couplings}))

    @cached_property
    def kept_maps(self) -> tuple[int, ...]:
        """The maps of which the backward reads what came of them."""
        n = self.n_inputs
        return tuple(i - n for i in self.step.saved_inputs if i >= n)

    @cached_property
    def read_states(self) -> tuple[bool, ...]:
        """Which states the program reads itself, beside what comes of the maps."""
        code = self.step.forward
        read = {*code.results, *(value for line in code.lines for value in line.operands)}
        return tuple(f"v{i}" in read for i in range(self.n_states))

    @cached_property
    def told_states(self) -> tuple[bool, ...]:
        """Which states get a cotangent from the program itself, beside what comes of the maps."""
        n, results = self.step.n_inputs, self._gradients
        return tuple(result != 0.0 for result in results[n : n + self.n_states])

    @cached_property
    def grad_places(self) -> tuple[int, ...]:
        """For each input of the program, the one in whose place its cotangent is written.

        What comes of a map often has that of the input that it is added to.
        """
        n, results = self.n_inputs, self._gradients
        return (*range(n), *(results.index(result) for result in results[n : self.step.n_inputs]))

    def parts(self, saved: Sequence[Tensor]) -> tuple[Parts, Parts, Parts]:
        """What the program saved, the states that were heard, and what came of maps."""
        n, m = self.step.n_saved, self.step.n_saved + len(self.heard)
        return saved[:n], saved[n:m], saved[m:]

    @property
    def _gradients(self) -> tuple[str | float, ...]:
        return () if self.backward is None else self.backward.results
