"""A linear layer of which weights, rather than outputs, are dropped."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..base import MemoryModule
from ..base.location import Location, check_tensor

__all__ = ["DropConnectLinear"]


class DropConnectLinear(MemoryModule):
    r"""A linear layer whose weights and biases are dropped, in training, for each sample anew.

    .. math::
        Y = a((M \odot W) X + m \odot b), \quad M_{ij}, m_i = 0\ \text{with probability } p

    In eval the sum before the activation is taken to be normal, of mean
    :math:`(1 - p)(W X + b)` and variance :math:`p (1 - p)(W^2 X^2 + b^2)`, and the activations of
    samples of it are averaged.

    Arguments:
        in_features: Features of the input.
        out_features: Features of the output.
        bias: Learn b.
        p: Probability that a weight is dropped, 0 to 1.
        samples_num: Samples in eval, at least 1.
        invariant: Hold the masks from the first step after a reset until the next one; else they
            are drawn at every step.
        activation: a, applied to the sum, or None. A module may be given.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input: [N, in_features] when step_mode is 's', [T, N, in_features] when it is 'm'.
        output: likewise, with out_features.
    State:
        dropped_w: the weights left, [N, out_features, in_features]; None until the first step.
        dropped_b: the biases left, [N, out_features], or None.
    Raises:
        ValueError: p or samples_num is out of range; at a call, the input has another shape, or
            held masks are of another batch.
    References:
        | Regularization of Neural Networks Using DropConnect (Wan et al., 2013)
        | https://proceedings.mlr.press/v28/wan13.html

    Example:
        >>> fc = DropConnectLinear(3, 5, step_mode="m")
        >>> fc(torch.rand(4, 2, 3)).shape
        torch.Size([4, 2, 5])
    """

    dropped_w: Tensor | None
    dropped_b: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        p: float = 0.5,
        samples_num: int = 1024,
        invariant: bool = False,
        activation: Callable[[Tensor], Tensor] | None = torch.relu,
        step_mode: str = "s",
    ) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(
                f"p must be from 0 to 1, the probability that a weight drops, got {p}"
            )
        if samples_num < 1:
            raise ValueError(f"samples_num must be at least 1, got {samples_num}")
        self.in_features, self.out_features = in_features, out_features
        self.p, self.samples_num, self.invariant = p, samples_num, invariant
        self.activation = activation
        self.replayable = invariant
        self.step_mode = step_mode
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.reset_parameters()
        self.register_memory("dropped_w", None)
        self.register_memory("dropped_b", None)

    def reset_parameters(self) -> None:
        """Draw the weights and biases as ``torch.nn.Linear`` does."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            nn.init.uniform_(self.bias, -bound, bound)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """One step: with weights dropped in training, by samples in eval."""
        check_tensor(self, x)
        if x.dim() != 2 or x.shape[1] != self.in_features:
            raise ValueError(
                f"{Location(self)} takes steps [N, {self.in_features}], got {list(x.shape)}: "
                "flatten the input, or make the layer with its features"
            )
        return self._dropped(x) if self.training else self._sampled(x)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, p={self.p}, invariant={self.invariant}, "
            f"step_mode={self.step_mode}"
        )

    def _dropped(self, x: Tensor) -> Tensor:
        if not self.invariant or self.dropped_w is None:
            self._draw(x.shape[0])
        weight, bias = self.dropped_w, self.dropped_b
        if weight is None or weight.shape[0] != x.shape[0]:
            raise ValueError(
                f"{Location(self)}: the weights held are those of another batch than the input "
                f"{list(x.shape)}: call functional.reset_net(net) before a new sequence"
            )
        y = torch.einsum("noi,ni->no", weight, x)
        return self._activated(y if bias is None else y + bias)

    def _draw(self, batch: int) -> None:
        def kept(parameter: Tensor) -> Tensor:
            share = torch.full((batch, *parameter.shape), 1.0 - self.p, device=parameter.device)
            return parameter * torch.bernoulli(share).to(parameter.dtype)

        self.dropped_w = kept(self.weight)
        self.dropped_b = None if self.bias is None else kept(self.bias)

    def _sampled(self, x: Tensor) -> Tensor:
        squared_bias = None if self.bias is None else self.bias.square()
        mean = (1 - self.p) * F.linear(x, self.weight, self.bias)
        variance = F.linear(x.square(), self.weight.square(), squared_bias)
        # The root has no derivative at 0, where a sample has no input and no bias.
        variance = self.p * (1 - self.p) * variance
        some = variance > 0
        deviation = torch.where(some, variance, 1.0).sqrt() * some
        noise = torch.randn(self.samples_num, *mean.shape, dtype=x.dtype, device=x.device)
        return self._activated(mean + deviation * noise).mean(0)

    def _activated(self, y: Tensor) -> Tensor:
        activation: Any = self.activation
        result: Tensor = y if activation is None else activation(y)
        return result
