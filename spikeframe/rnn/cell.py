r"""Recurrent cells whose gates are spikes: one step, states in and out.

.. math::
    a = W_{ih} x + b_{ih},\quad b = W_{hh} h + b_{hh},\quad \Theta(u) = 1 \text{ if } u \ge 0
    \text{ else } 0
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .. import surrogate
from ..base.parameter import check_count, check_flag
from ..base.traced import check_real_input
from ..neuron.node import check_surrogate

__all__ = [
    "SpikingGRUCell",
    "SpikingLSTMCell",
    "SpikingRNNCell",
    "SpikingVanillaRNNCell",
    "as_states",
]

Spike = Callable[[Tensor], Tensor]


class SpikingRNNCell(nn.Module):
    r"""Base of the cells: two linear maps to ``n_gates`` gates, and a step.

    Arguments:
        input_size: Features of the input.
        hidden_size: Features of the states.
        bias: Add biases to both maps.
        surrogate_function1: The spike of the gates, with a surrogate gradient;
            ``surrogate.Erf()`` by default, a new one per cell.
        surrogate_function2: That of the candidate, where it is to be another; None for the same.
    Shape:
        input: [N, F_in].
        states: [N, F_hidden].
    Raises:
        TypeError: An argument, or a call's input or state, is of another type.
        ValueError: One surrogate spikes and the other does not, or a size or shape is outside of
            what is allowed.
    """

    n_gates: int
    n_states: int = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        surrogate_function1: Spike | None = None,
        surrogate_function2: Spike | None = None,
    ) -> None:
        super().__init__()
        self.input_size = check_count("input_size", input_size)
        self.hidden_size = check_count("hidden_size", hidden_size)
        self.bias = check_flag("bias", bias)
        self.linear_ih = nn.Linear(input_size, self.n_gates * hidden_size, bias)
        self.linear_hh = nn.Linear(hidden_size, self.n_gates * hidden_size, bias)
        first = surrogate.Erf() if surrogate_function1 is None else surrogate_function1
        self.surrogate_function1 = check_surrogate(first)
        self.surrogate_function2 = (
            None if surrogate_function2 is None else check_surrogate(surrogate_function2)
        )
        kinds = [getattr(f, "spiking", None) for f in (first, surrogate_function2)]
        if surrogate_function2 is not None and kinds[0] != kinds[1]:
            raise ValueError(
                "surrogate_function1 and surrogate_function2 must both spike, or neither, got "
                f"spiking={kinds[0]} and spiking={kinds[1]}"
            )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draw all weights from :math:`U(-k, k)`, :math:`k = 1 / \sqrt{F_{hidden}}`."""
        bound = math.sqrt(1 / self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, states: Any = None) -> Any:
        """The states after a step; before the first they are 0."""
        check_real_input(self, x)
        if x.dim() != 2 or x.shape[1] != self.input_size:
            raise ValueError(
                f"{type(self).__name__} takes [N, {self.input_size}], got {list(x.shape)}"
            )
        starts = as_states(self, states, (x.shape[0], self.hidden_size), x)
        return self.step(self.linear_ih(x), starts if self.n_states > 1 else starts[0])

    def step(self, gates: Tensor, states: Any) -> Any:
        """The states after a step whose input came through ``linear_ih``."""
        raise NotImplementedError(f"{type(self).__name__} must define step(gates, states)")

    def candidate(self, u: Tensor) -> Tensor:
        """The spike of the candidate."""
        second = self.surrogate_function2
        return self.surrogate_function1(u) if second is None else second(u)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.input_size}, {self.hidden_size}, bias={self.bias}"


def as_states(module: Any, states: Any, shape: tuple[int, ...], x: Tensor) -> tuple[Tensor, ...]:
    """The states of a cell or network, one tensor each; zeros for None.

    Raises:
        TypeError: They are neither a tensor nor a tuple of tensors.
        ValueError: Their number or shape is another.
    """
    wanted = module.n_states
    if states is None:
        return (x.new_zeros(shape),) * wanted
    starts = (states,) if isinstance(states, Tensor) else states
    if not isinstance(starts, tuple) or not all(isinstance(s, Tensor) for s in starts):
        raise TypeError(
            f"states must be a tensor or a tuple of tensors, got {type(states).__name__}"
        )
    if [s.shape for s in starts] != [torch.Size(shape)] * wanted:
        raise ValueError(
            f"{type(module).__name__} has {wanted} states of shape {list(shape)}, "
            f"got {[list(s.shape) for s in starts]}"
        )
    return starts


class SpikingVanillaRNNCell(SpikingRNNCell):
    r"""Elman's cell with a spike for its activation.

    .. math::
        h[t] = \Theta(a + b)

    Arguments:
        input_size: Features of the input.
        hidden_size: Features of the state.
        bias: Add biases to both maps.
        surrogate_function: The spike with its surrogate gradient; ``surrogate.Erf()`` by default.
    Shape:
        input: [N, F_in]; state and output: [N, F_hidden].
    References:
        | Finding Structure in Time (Elman, 1990)
        | https://doi.org/10.1207/s15516709cog1402_1

    Example:
        >>> import torch
        >>> cell = SpikingVanillaRNNCell(3, 4)
        >>> cell(torch.ones(2, 3)).shape
        torch.Size([2, 4])
    """

    n_gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        surrogate_function: Spike | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, surrogate_function)

    def step(self, gates: Tensor, states: Tensor) -> Tensor:
        """Fire."""
        return self.surrogate_function1(gates + self.linear_hh(states))


class SpikingGRUCell(SpikingRNNCell):
    r"""Gated recurrent unit whose gates and candidate are spikes.

    .. math::
        r &= \Theta(a_r + b_r),\quad z = \Theta(a_z + b_z),\quad n = \Theta(a_n + r\, b_n) \\
        h[t] &= (1 - z)\, n + z\, h[t-1]

    Arguments:
        input_size: Features of the input.
        hidden_size: Features of the state.
        bias: Add biases to both maps.
        surrogate_function1: The spike of r and z; ``surrogate.Erf()`` by default.
        surrogate_function2: That of n; None for the same.
    Shape:
        input: [N, F_in]; state and output: [N, F_hidden].
    References:
        | Learning Phrase Representations using RNN Encoder-Decoder (Cho et al., 2014)
        | https://arxiv.org/abs/1406.1078

    Example:
        >>> import torch
        >>> SpikingGRUCell(3, 4)(torch.ones(2, 3)).shape
        torch.Size([2, 4])
    """

    n_gates = 3

    def step(self, gates: Tensor, states: Tensor) -> Tensor:
        """Open the gates."""
        a, b = gates.chunk(3, -1), self.linear_hh(states).chunk(3, -1)
        r, z = (self.surrogate_function1(a[i] + b[i]) for i in range(2))
        n = self.candidate(a[2] + r * b[2])
        return (1.0 - z) * n + z * states


class SpikingLSTMCell(SpikingRNNCell):
    r"""Long short-term memory whose gates and candidate are spikes.

    .. math::
        i, f, g, o &= \Theta(a + b) \\
        c[t] &= \min(f\, c[t-1] + i\, g,\ 1),\quad h[t] = o\, c[t]

    The minimum has no gradient of its own: that of c passes.

    Arguments:
        input_size: Features of the input.
        hidden_size: Features of the states.
        bias: Add biases to both maps.
        surrogate_function1: The spike of the gates; ``surrogate.Erf()`` by default.
        surrogate_function2: That of g; None for the same.
    Shape:
        input: [N, F_in]; states h and c: [N, F_hidden].
    References:
        | Long Short-Term Memory Spiking Networks and Their Applications (Lotfi Rezaabad and
          Vishwanath, 2020)
        | https://arxiv.org/abs/2007.04779

    Example:
        >>> import torch
        >>> h, c = SpikingLSTMCell(3, 4)(torch.ones(2, 3))
        >>> h.shape, c.shape
        (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    n_gates, n_states = 4, 2

    def step(self, gates: Tensor, states: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Open the gates."""
        i, f, g, o = (gates + self.linear_hh(states[0])).chunk(4, -1)
        i, f, o = (self.surrogate_function1(u) for u in (i, f, o))
        c = f * states[1] + i * self.candidate(g)
        held = c.detach()
        c = held.clamp(max=1.0) + (c - held)
        return c * o, c
