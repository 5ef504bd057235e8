"""What parallel spiking neurons share: a potential of the whole sequence, and its spikes."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import base, kernels, surrogate
from ..base.guard import note_backward, watch_carried_state
from ..base.location import Location
from ..base.traced import check_real_input
from .node import check_surrogate

__all__ = ["ParallelNode", "product_over_time"]


class ParallelNode(base.MemoryModule):
    """Base of :class:`PSN` and its kin: a subclass writes ``potential``."""

    composed: ClassVar[str] = "it sums over the steps of a sequence at once, by torch's operations"
    """Why no kernel steps through it."""

    def __init__(
        self,
        surrogate_function: Callable[[Tensor], Tensor] | None,
        step_mode: str,
        backend: str,
    ) -> None:
        super().__init__()
        function = surrogate.ATan() if surrogate_function is None else surrogate_function
        self.surrogate_function = check_surrogate(function)
        self.step_mode = step_mode
        self.backend = backend

    @property
    def backend(self) -> str:
        """'auto' or 'eager': torch's own operations. Another one raises at a call."""
        return self._backend

    @backend.setter
    def backend(self, backend: str) -> None:
        self._backend = kernels.check_name(backend)

    @property
    def supported_backends(self) -> tuple[str, ...]:
        """The backends of this version; ``kernels.why_not`` tells what keeps one from a case."""
        return ("auto", *kernels.BACKENDS)

    def forward(self, x: Tensor, *inputs: Any) -> Any:
        r"""Spikes of one step [N, \*] or of a sequence [T, N, \*], as ``step_mode`` says."""
        check_real_input(self, x)
        if self.backend not in ("auto", "eager"):
            kernels.choose(self, self.backend, x.device)  # says why not
        for step in dict(self.named_memories()).get("queue", ()):
            watch_carried_state(self, step)
        spikes = super().forward(x, *inputs)
        note_backward(self, spikes)
        return spikes

    def potential(self, x_seq: Tensor) -> Tensor:
        r"""H of every step, [T, N, \*]."""
        raise NotImplementedError(f"{type(self).__name__} must define potential(x_seq)")

    def single_step_forward(self, x: Tensor) -> Tensor:
        """A step has no lines of its own."""
        raise RuntimeError(f"{type(self).__name__} takes no single step: {self.composed}")

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """The potential of the whole sequence, then its spikes."""
        kernels.check_sequences((x_seq,))
        return self.fire(self.potential(self.in_precision(x_seq)), x_seq)

    def fire(self, h: Tensor, x: Tensor) -> Tensor:
        """Spikes in the dtype of the input."""
        spikes = self.surrogate_function(h)
        return spikes.to(x.dtype) if x.is_floating_point() else spikes

    def in_precision(self, x: Tensor) -> Tensor:
        """The input in the dtype of the weights, at least float32."""
        dtype = next(self.parameters()).dtype
        return x.to(dtype if dtype == torch.float64 else torch.float32)


def product_over_time(node: Any, weight: Tensor, bias: Tensor, x_seq: Tensor) -> Tensor:
    r"""A matrix [T, T] times a sequence [T, N, \*], plus a bias [T, 1]."""
    if x_seq.shape[0] != node.T:
        raise ValueError(
            f"{Location(node)} takes sequences of T={node.T} steps, got {x_seq.shape[0]}"
        )
    x, dtype = x_seq.reshape(node.T, -1), x_seq.dtype
    with torch.autocast(x_seq.device.type, enabled=False):
        return torch.addmm(bias.to(dtype), weight.to(dtype), x).reshape(x_seq.shape)
