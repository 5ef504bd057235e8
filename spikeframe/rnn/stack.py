"""Layers of spiking cells over a sequence, in one direction or both, with explicit states."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..base.parameter import check_count, check_flag, check_number
from ..base.traced import check_real_input
from .cell import (
    SpikingGRUCell,
    SpikingLSTMCell,
    SpikingRNNCell,
    SpikingVanillaRNNCell,
    as_states,
)

__all__ = ["SpikingGRU", "SpikingLSTM", "SpikingRNN", "SpikingVanillaRNN"]

Spike = Callable[[Tensor], Tensor]


class SpikingRNN(nn.Module):
    r"""Base of the networks: ``num_layers`` layers of cells, in one direction or both.

    The input of all steps goes through a layer's first map at once. States are arguments and
    results, as with torch's recurrent layers; of the layers of a bidirectional network, those that
    run forward come first, then those that run backward.

    Arguments:
        input_size: Features of the input.
        hidden_size: Features of the states.
        num_layers: Number of layers.
        bias: Add biases to the cells.
        dropout_p: Probability by which an output is dropped between layers, in training.
        invariant_dropout_mask: Drop the same neurons of a sample at all steps.
        bidirectional: Run a second set of cells from the last step to the first, and give its
            output beside the first's.
        surrogates: The cells' surrogate functions.
    Shape:
        input: [T, N, F_in].
        states: [L D, N, F_hidden], L layers and D directions; a tuple where there are several.
        output: [T, N, D F_hidden], and the states after the last step.
    Raises:
        TypeError: The states are neither a tensor nor a tuple of tensors.
        ValueError: An argument, or a shape, is outside of what is allowed.
    """

    cell: ClassVar[type[SpikingRNNCell]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout_p: float = 0.0,
        invariant_dropout_mask: bool = False,
        bidirectional: bool = False,
        *surrogates: Spike | None,
    ) -> None:
        super().__init__()
        if not 0.0 <= check_number("dropout_p", dropout_p) < 1.0:
            raise ValueError(f"dropout_p must be in [0, 1), got {dropout_p}")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias = check_count("num_layers", num_layers), bias
        self.dropout_p = dropout_p
        self.invariant_dropout_mask = check_flag("invariant_dropout_mask", invariant_dropout_mask)
        self.bidirectional = check_flag("bidirectional", bidirectional)
        self.cells = self._make_cells(surrogates)
        if bidirectional:
            self.cells_reverse = self._make_cells(surrogates)

    @property
    def n_states(self) -> int:
        """The number of states of a cell."""
        return self.cell.n_states

    @property
    def directions(self) -> int:
        """2 if it is bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    def forward(self, x: Tensor, states: Any = None) -> tuple[Tensor, Any]:
        """The output of all steps, and the states after the last; 0 before the first."""
        starts = self._starts(x, states)
        ends: list[Any] = [None] * (self.num_layers * self.directions)
        for i in range(self.num_layers):
            outputs = []
            for d in range(self.directions):
                j = i + d * self.num_layers
                output, ends[j] = self._run(i, d, x, [start[j] for start in starts])
                outputs.append(output)
            x = torch.cat(outputs, -1)
            if i + 1 < self.num_layers:
                x = self._drop(x)
        stacked = tuple(torch.stack(state) for state in zip(*ends, strict=True))
        return x, stacked if self.cell.n_states > 1 else stacked[0]

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}, "
            f"bidirectional={self.bidirectional}"
        )

    def _make_cells(self, surrogates: Any) -> nn.Sequential:
        inner = self.hidden_size * self.directions
        sizes = [self.input_size] + [inner] * (self.num_layers - 1)
        cells = [self.cell(size, self.hidden_size, self.bias, *surrogates) for size in sizes]
        return nn.Sequential(*cells)

    def _starts(self, x: Tensor, states: Any) -> tuple[Tensor, ...]:
        """The first states, one tensor [L D, N, F_hidden] each."""
        check_real_input(self, x)
        if x.dim() != 3 or x.shape[2] != self.input_size or x.shape[0] == 0:
            raise ValueError(
                f"{type(self).__name__} takes [T, N, {self.input_size}] of at least one step, got "
                f"{list(x.shape)}"
            )
        shape = (self.num_layers * self.directions, x.shape[1], self.hidden_size)
        return as_states(self, states, shape, x)

    def _run(
        self, layer: int, direction: int, x: Tensor, starts: list[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer in one direction over all steps: its output and last states."""
        cell: Any = (self.cells_reverse if direction else self.cells)[layer]
        state: Any = starts[0] if cell.n_states == 1 else tuple(starts)
        steps = cell.linear_ih(x).unbind(0)
        outputs = []
        for gates in reversed(steps) if direction else steps:
            state = cell.step(gates, state)
            outputs.append(state if cell.n_states == 1 else state[0])
        output = torch.stack(outputs[::-1] if direction else outputs)
        return output, (state,) if cell.n_states == 1 else state

    def _drop(self, x: Tensor) -> Tensor:
        if not self.training or self.dropout_p == 0:
            return x
        if self.invariant_dropout_mask:
            return x * F.dropout(torch.ones_like(x[0]), self.dropout_p)
        return F.dropout(x, self.dropout_p)


class SpikingVanillaRNN(SpikingRNN):
    r"""Layers of :class:`SpikingVanillaRNNCell`.

    Arguments:
        input_size: Features of the input.
        hidden_size: Features of the state.
        num_layers: Number of layers.
        bias: Add biases to the cells.
        dropout_p: Probability by which an output is dropped between layers, in training.
        invariant_dropout_mask: Drop the same neurons of a sample at all steps.
        bidirectional: Run a second set of cells from the last step to the first.
        surrogate_function: The spike; ``surrogate.Erf()`` by default.
    Shape:
        input: [T, N, F_in]; state: [L D, N, F_hidden]; output: [T, N, D F_hidden].

    Example:
        >>> net = SpikingVanillaRNN(3, 4, num_layers=2, bidirectional=True)
        >>> output, h = net(torch.ones(5, 2, 3))
        >>> output.shape, h.shape
        (torch.Size([5, 2, 8]), torch.Size([4, 2, 4]))
    """

    cell = SpikingVanillaRNNCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout_p: float = 0.0,
        invariant_dropout_mask: bool = False,
        bidirectional: bool = False,
        surrogate_function: Spike | None = None,
    ) -> None:
        sizes = input_size, hidden_size, num_layers, bias
        drop = dropout_p, invariant_dropout_mask
        super().__init__(*sizes, *drop, bidirectional, surrogate_function)


class _Gated(SpikingRNN):
    """Two surrogates: of the gates, and of the candidate."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout_p: float = 0.0,
        invariant_dropout_mask: bool = False,
        bidirectional: bool = False,
        surrogate_function1: Spike | None = None,
        surrogate_function2: Spike | None = None,
    ) -> None:
        sizes = input_size, hidden_size, num_layers, bias
        drop = dropout_p, invariant_dropout_mask
        super().__init__(*sizes, *drop, bidirectional, surrogate_function1, surrogate_function2)


class SpikingGRU(_Gated):
    r"""Layers of :class:`SpikingGRUCell`.

    Arguments:
        input_size: Features of the input.
        hidden_size: Features of the state.
        num_layers: Number of layers.
        bias: Add biases to the cells.
        dropout_p: Probability by which an output is dropped between layers, in training.
        invariant_dropout_mask: Drop the same neurons of a sample at all steps.
        bidirectional: Run a second set of cells from the last step to the first.
        surrogate_function1: The spike of the gates; ``surrogate.Erf()`` by default.
        surrogate_function2: That of the candidate; None for the same.
    Shape:
        input: [T, N, F_in]; state: [L D, N, F_hidden]; output: [T, N, D F_hidden].

    Example:
        >>> output, h = SpikingGRU(3, 4)(torch.ones(5, 2, 3))
        >>> output.shape, h.shape
        (torch.Size([5, 2, 4]), torch.Size([1, 2, 4]))
    """

    cell = SpikingGRUCell


class SpikingLSTM(_Gated):
    r"""Layers of :class:`SpikingLSTMCell`.

    Arguments:
        input_size: Features of the input.
        hidden_size: Features of the states.
        num_layers: Number of layers.
        bias: Add biases to the cells.
        dropout_p: Probability by which an output is dropped between layers, in training.
        invariant_dropout_mask: Drop the same neurons of a sample at all steps.
        bidirectional: Run a second set of cells from the last step to the first.
        surrogate_function1: The spike of the gates; ``surrogate.Erf()`` by default.
        surrogate_function2: That of the candidate; None for the same.
    Shape:
        input: [T, N, F_in]; states h and c: [L D, N, F_hidden]; output: [T, N, D F_hidden].

    Example:
        >>> output, (h, c) = SpikingLSTM(3, 4, num_layers=2)(torch.ones(5, 2, 3))
        >>> output.shape, h.shape, c.shape
        (torch.Size([5, 2, 4]), torch.Size([2, 2, 4]), torch.Size([2, 2, 4]))
    """

    cell = SpikingLSTMCell
