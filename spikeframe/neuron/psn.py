r"""Parallel spiking neurons: no reset, so that all steps of a sequence are computed at once.

.. math::
    H[t] = \sum_i W_{t,i} X[i] + b_t, \qquad S[t] = \Theta(H[t])

A step's potential is a learned sum of the inputs, so nothing is left for a fused kernel to do: the
sum is a matrix product (PSN, MaskedPSN) or a sum over a window (SlidingPSN) by torch's own
operations.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .. import base
from ..base.location import Location
from .parallel import ParallelNode, product_over_time
from .parameter import check_count, check_number
from .window import window_sum

__all__ = ["PSN", "MaskedPSN", "SlidingPSN"]


class PSN(base.MultiStepModule, ParallelNode):
    r"""Parallel spiking neuron: every step sees the whole sequence.

    .. math::
        H = W X + b, \qquad S = \Theta(H), \qquad W \in \mathbb{R}^{T \times T}

    Arguments:
        T: Number of steps of a sequence.
        surrogate_function: The spike with its surrogate gradient; ``surrogate.ATan()`` by
            default.
        step_mode: 'm', as a step depends on all others.
        backend: 'auto' or 'eager': it is one matrix product of torch's.
    Shape:
        input, output: [T, N, \*].
    Raises:
        TypeError: T is not an int.
        ValueError: T is less than 1, or a sequence has another number of steps.
    References:
        | Parallel Spiking Neurons with High Efficiency and Ability to Learn Long-term
          Dependencies (Fang et al., 2023)
        | https://arxiv.org/abs/2304.12760

    Example:
        >>> PSN(T=4)(torch.rand(4, 2, 3)).shape
        torch.Size([4, 2, 3])
    """

    def __init__(
        self,
        T: int,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        step_mode: str = "m",
        backend: str = "auto",
    ) -> None:
        super().__init__(surrogate_function, step_mode, backend)
        self.T = check_count("T", T)
        self.weight = nn.Parameter(torch.empty(T, T))
        self.bias = nn.Parameter(torch.full((T, 1), -1.0))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def potential(self, x_seq: Tensor) -> Tensor:
        r"""H of every step, [T, N, \*]."""
        return product_over_time(self, self.weight, self.bias, x_seq)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"T={self.T}"


class MaskedPSN(ParallelNode):
    r"""Parallel spiking neuron whose steps come to see only the last k steps.

    .. math::
        H = (W \odot (\lambda M_k + (1 - \lambda))) X + b, \qquad S = \Theta(H)

    The mask :math:`M_k` is 1 for the k steps up to each step, 0 for all others. Training raises
    ``lambda_`` from 0, where it is a :class:`PSN`, to 1, from where on steps can be run one at a
    time as well.

    Arguments:
        k: Number of steps seen, 1 to T.
        T: Number of steps of a sequence.
        lambda_init: Initial :math:`\lambda`, 0 to 1.
        surrogate_function: The spike with its surrogate gradient; ``surrogate.ATan()`` by
            default.
        step_mode: 's' for one step per call (with ``lambda_`` at 1), 'm' for a sequence.
        backend: 'auto' or 'eager': it is one matrix product of torch's.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        queue: the last steps' inputs, at most k, when step_mode is 's'; starts empty.
        time_step: how many steps have run when step_mode is 's'.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is out of range, or a sequence has another number of steps.
        RuntimeError: A step after the last, or one while ``lambda_`` is less than 1.
    References:
        | Parallel Spiking Neurons with High Efficiency and Ability to Learn Long-term
          Dependencies (Fang et al., 2023)
        | https://arxiv.org/abs/2304.12760

    Example:
        >>> node = MaskedPSN(k=2, T=4, lambda_init=1.0)
        >>> node(torch.ones(3)).shape
        torch.Size([3])
    """

    queue: Any
    time_step: Any
    mask0: Tensor
    _lambda_: Tensor

    def __init__(
        self,
        k: int,
        T: int,
        lambda_init: float = 0.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        step_mode: str = "s",
        backend: str = "auto",
    ) -> None:
        super().__init__(surrogate_function, step_mode, backend)
        self.k, self.T = check_count("k", k), check_count("T", T)
        if k > T:
            raise ValueError(f"k must be at most T, the steps of a sequence, got k={k} and T={T}")
        self.register_memory("time_step", 0)
        self.register_memory("queue", ())
        ones = torch.ones(T, T)
        self.register_buffer("mask0", ones.tril() * ones.triu(1 - k))
        self.register_buffer("_lambda_", torch.tensor(_check_lambda("lambda_init", lambda_init)))
        self.weight = nn.Parameter(torch.empty(T, T))
        self.bias = nn.Parameter(torch.full((T, 1), -1.0))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    @property
    def lambda_(self) -> Tensor:
        """How far the mask is in force, 0 to 1; assigning it changes it in place."""
        return self._lambda_

    @lambda_.setter
    def lambda_(self, value: float) -> None:
        self._lambda_.fill_(_check_lambda("lambda_", value))

    def masked_weight(self) -> Tensor:
        """The weights that are in force, [T, T]."""
        part = self.lambda_.clamp(max=1.0)
        return (part * self.mask0 + (1.0 - part)) * self.weight

    def potential(self, x_seq: Tensor) -> Tensor:
        r"""H of every step, [T, N, \*]."""
        if self.time_step:
            raise ValueError(
                f"{Location(self)} has run {self.time_step} single steps: call "
                "functional.reset_net(net) before a sequence"
            )
        return product_over_time(self, self.masked_weight(), self.bias, x_seq)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """The sum over the last k inputs."""
        t = self.time_step
        if bool(self.lambda_ < 1.0):
            raise RuntimeError(
                f"{Location(self)} sees later steps as long as lambda_ is less than 1 (now "
                f"{self.lambda_.item():.4g}): use step_mode='m', or set lambda_ = 1.0"
            )
        if t >= self.T:
            raise RuntimeError(
                f"{Location(self)} has run its T={self.T} steps: call functional.reset_net(net)"
            )
        queue = (*self.queue, self.in_precision(x))[-self.k :]
        weight = self.masked_weight()[t, t + 1 - len(queue) : t + 1]
        h = _weighted(weight, queue) + self.bias[t].to(queue[0].dtype)
        self.queue, self.time_step = queue, t + 1
        return self.fire(h, x)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        lambda_ = f"{self.lambda_.item():.4g}"
        return f"k={self.k}, T={self.T}, lambda_={lambda_}, step_mode={self.step_mode}"


class SlidingPSN(ParallelNode):
    r"""Parallel spiking neuron whose steps all see the last k steps with the same weights.

    .. math::
        H[t] = \sum_{i=0}^{k-1} W_i X[t - k + 1 + i] + b, \qquad S[t] = \Theta(H[t])

    Sequences may have any length, and may follow each other: the last inputs are kept until the
    next reset (SpikingJelly's sequences always begin anew). The time for a sequence is linear in T
    (SpikingJelly's is quadratic).

    Arguments:
        k: Number of steps seen.
        exp_init: Weights ..., 1/4, 1/2, 1 at first; else random ones.
        surrogate_function: The spike with its surrogate gradient; ``surrogate.ATan()`` by
            default.
        step_mode: 's' for one step per call, 'm' for a sequence.
        backend: 'auto' or 'eager': it is a matrix product of torch's.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        queue: the last steps' inputs, at most k - 1; starts empty.
    Raises:
        TypeError: k is not an int.
        ValueError: k is less than 1, or the input has not the shape of the last steps.
    References:
        | Parallel Spiking Neurons with High Efficiency and Ability to Learn Long-term
          Dependencies (Fang et al., 2023)
        | https://arxiv.org/abs/2304.12760

    Example:
        >>> node = SlidingPSN(k=2, step_mode="m")
        >>> node(torch.tensor([[0.8], [0.5], [0.8]])).detach().flatten()
        tensor([0., 0., 1.])
    """

    queue: Any

    def __init__(
        self,
        k: int,
        exp_init: bool = True,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        step_mode: str = "s",
        backend: str = "auto",
    ) -> None:
        super().__init__(surrogate_function, step_mode, backend)
        self.k = check_count("k", k)
        self.register_memory("queue", ())
        weight = 0.5 ** torch.arange(k - 1, -1, -1.0)
        if not exp_init:
            weight = nn.init.kaiming_uniform_(torch.empty(1, k), a=math.sqrt(5))[0]
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.tensor(-1.0))

    def potential(self, x_seq: Tensor) -> Tensor:
        r"""H of every step, [T, N, \*], with the inputs of earlier calls."""
        self._check_queue(x_seq[0])
        weight, bias = self.weight.to(x_seq.dtype), self.bias.to(x_seq.dtype)
        with torch.autocast(x_seq.device.type, enabled=False):
            return window_sum(x_seq, weight, self.queue) + bias

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """A sequence after those before it."""
        spikes = super().multi_step_forward(x_seq)
        self._remember(self.in_precision(x_seq).unbind(0)[-self.k :])
        return spikes

    def single_step_forward(self, x: Tensor) -> Tensor:
        """The sum over the last k inputs."""
        step = self.in_precision(x)
        spikes = self.fire(self.potential(step.unsqueeze(0))[0], x)
        self._remember((step,))
        return spikes

    def _remember(self, steps: tuple[Tensor, ...]) -> None:
        kept = (*self.queue, *steps)
        self.queue = kept[len(kept) - self.k + 1 :] if len(kept) >= self.k else kept

    def _check_queue(self, x: Tensor) -> None:
        if self.queue and self.queue[-1].shape != x.shape:
            raise ValueError(
                f"{Location(self)}: queue has steps of shape {list(self.queue[-1].shape)} but the "
                f"input is {list(x.shape)}: call functional.reset_net(net) before a new sequence"
            )

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"k={self.k}, step_mode={self.step_mode}"


def _check_lambda(name: str, value: float | Tensor) -> float:
    number = check_number(name, value.item() if isinstance(value, Tensor) else value)
    if number < 0.0:
        raise ValueError(
            f"{name} must be 0 or greater (from 1 on the mask is whole), got {number}"
        )
    return number


def _weighted(weight: Tensor, steps: tuple[Tensor, ...]) -> Tensor:
    """The sum of steps with a weight each."""
    return torch.tensordot(weight.to(steps[0].dtype), torch.stack(steps), 1)
