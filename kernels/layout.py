"""How the tensors of one call lie in memory: all as one step of its input does."""

import copy

import torch
from torch import Tensor

from .pages import LARGE, in_large_pages

__all__ = ["Layout"]


class Layout:
    r"""The shape, dtype, device and memory order of a sequence [T, N, \*], without the sequence.

    Every tensor that a kernel reads or writes is brought into this order, so that it may go
    through one step as through a line of numbers; channels-last inputs are not copied. A view
    that negates when it is read (``torch.conj(z).imag``) is.

    Arguments:
        like: The input of the call.
    """

    def __init__(self, like: Tensor) -> None:
        step = like.select(0, 0)
        self.steps, self.shape, self.size = like.shape[0], step.shape, step.numel()
        self.dtype, self.device = like.dtype, like.device
        self.precision = torch.float64 if like.dtype == torch.float64 else torch.float32
        self.strides = step.stride() if _is_dense(step) else _contiguous_strides(step.shape)
        self._shape = (self.steps, *self.shape)
        self._strides = (self.size, *self.strides)
        # A captured graph may know its sizes by name only.
        known = type(self.size) is int and type(self.steps) is int
        self._is_large = known and self.steps * self.size * like.element_size() >= LARGE

    def single(self) -> "Layout":
        """That of a sequence of a single step."""
        made = copy.copy(self)
        made.steps, made._shape = 1, (1, *self.shape)
        return made

    def sequence(self, dtype: torch.dtype | None = None, steps: int | None = None) -> Tensor:
        """A new sequence, its steps one after another, in the input's dtype by default."""
        shape = self._shape if steps is None else (steps, *self.shape)
        made = torch.empty_strided(
            shape, self._strides, dtype=dtype or self.dtype, device=self.device
        )
        return in_large_pages(made) if self._is_large else made

    def step(self) -> Tensor:
        """A new step, in the precision of states."""
        return torch.empty_strided(
            self.shape, self.strides, dtype=self.precision, device=self.device
        )

    def saved(self, kind: str) -> Tensor:
        """A new sequence of saved values, or of bits: eight steps in a byte, the first lowest."""
        if kind == "bit":
            return self.sequence(torch.uint8, -(-self.steps // 8))
        return self.sequence()

    def zeros(self, dtype: torch.dtype | None = None) -> Tensor:
        """A sequence of zeros, of which one step is in memory."""
        return self.sequence(dtype, 1).zero_().expand(self.steps, *self.shape)

    def match(self, sequence: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """A sequence in this order; its steps may lie anywhere, an expanded one in one place."""
        dtype = dtype or self.dtype
        if self.holds(sequence, dtype):
            return sequence
        if sequence.stride(0) == 0:
            once = self.sequence(dtype, 1).copy_(sequence[:1])
            return once.expand(sequence.shape[0], *self.shape)
        return self.sequence(dtype, sequence.shape[0]).copy_(sequence)

    def holds(self, sequence: Tensor, dtype: torch.dtype) -> bool:
        """Whether a sequence is in this order."""
        return (
            sequence.dtype == dtype and self._fits(sequence.stride()[1:]) and not sequence.is_neg()
        )

    def match_line(self, sequence: Tensor, lanes: int) -> Tensor:
        """As ``match``; one value a step, expanded, is there ``lanes`` times, not everywhere."""
        if not self.has_lines(sequence):
            return self.match(sequence)
        values = sequence.flatten(1)[:, 0].to(self.dtype)
        lines = values[:, None].repeat(1, lanes)
        return lines.as_strided(sequence.shape, (lanes, *[0] * len(self.shape)))

    def has_lines(self, sequence: Tensor) -> bool:
        """Whether a step is one value, expanded, which ``match_line`` lays out in a line."""
        return self.size > 1 and not any(sequence.stride()[1:])

    def match_saved(self, kind: str, sequence: Tensor) -> Tensor:
        """Saved values or bits in this order, step after step, as hooks may not leave them."""
        saved = self.match(sequence, sequence.dtype if kind == "bit" else None)
        if saved.stride(0) == self.size or saved.shape[0] == 1:
            return saved
        return self.sequence(saved.dtype, saved.shape[0]).copy_(saved)

    def flat(self, sequence: Tensor) -> Tensor:
        """A sequence in this order as [T, size], its steps as lines of numbers."""
        return sequence.as_strided((sequence.shape[0], self.size), (sequence.stride(0), 1))

    def flat_step(self, step: Tensor) -> Tensor:
        """One step in this order as [size]."""
        return step.as_strided((self.size,), (1,))

    def match_step(self, step: Tensor | float) -> Tensor:
        """One step in this order, in the precision of states; a number is that of all neurons."""
        if not isinstance(step, Tensor):
            return self.step().fill_(step)
        if step.dtype == self.precision and self._fits(step.stride()) and not step.is_neg():
            return step
        return self.step().copy_(step)

    def index(self, parameter: Tensor) -> tuple[Tensor, int, int]:
        """A parameter's values with the rule ``values[i // inner % size]`` for the i-th neuron."""
        values = parameter.detach().to(self.precision).resolve_neg()
        spread = values.expand(self.shape)
        varies = [d for d in range(len(self.shape)) if spread.stride(d) != 0]
        inner = self.strides[varies[-1]] if varies else 1
        expected = inner
        for d in reversed(varies):
            if self.strides[d] != expected:
                return self.step().copy_(spread), 1, self.size
            expected *= self.shape[d]
        # Expanded by whoever made it or here, the same value is there but once.
        once = spread[tuple(slice(None if stride else 1) for stride in spread.stride())]
        return once.contiguous(), inner, max(1, once.numel())

    def _fits(self, strides: tuple[int, ...]) -> bool:
        return strides == self.strides or all(
            a == b or n == 1 for a, b, n in zip(strides, self.strides, self.shape, strict=True)
        )


def _is_dense(step: Tensor) -> bool:
    """Whether the elements lie side by side in some order."""
    expected = 1
    for stride, size in sorted(zip(step.stride(), step.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True


def _contiguous_strides(shape: torch.Size) -> tuple[int, ...]:
    return torch.empty(shape, device="meta").stride()
