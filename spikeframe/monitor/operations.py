"""Counts the floating-point operations of matrix products and convolutions."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["ProductCounter"]


class ProductCounter(TorchDispatchMode):
    """Counts, within it, two operations for each multiplication and its addition.

    Products that kernels of their own do, which torch does not see, are not counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self._total = self._calls = 0

    def total(self) -> int:
        """The operations so far."""
        return self._total

    def calls(self) -> int:
        """How often torch was asked to do anything."""
        return self._calls

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        self._calls += 1
        count = _COUNTS.get(func.overloadpacket)
        if count is not None:
            self._total += 2 * count(args, output)
        return output


def _of_matrices(first: int) -> Callable[[Sequence[Any], Any], int]:
    """Of [.., m, k] and [.., k, n]; ``first`` is the place of the former."""
    return lambda args, output: output.numel() * args[first].shape[-1]


def _of_convolution(args: Sequence[Any], output: Tensor) -> int:
    return _products(args[0], args[1], output, transposed=args[6])


def _of_its_backward(args: Sequence[Any], output: Any) -> int:
    """As many for the gradient of the input as for that of the weights."""
    grad, x, weight, transposed, wanted = args[0], args[1], args[2], args[7], args[10]
    return (wanted[0] + wanted[1]) * _products(x, weight, grad, transposed)


def _products(x: Tensor, weight: Tensor, output: Tensor, transposed: bool) -> int:
    """Each value of the larger side meets each weight of one channel."""
    return (x if transposed else output).numel() * weight[0].numel()


_ATEN = torch.ops.aten
_COUNTS: dict[Any, Callable[[Sequence[Any], Any], int]] = {
    _ATEN.mm: _of_matrices(0),
    _ATEN.bmm: _of_matrices(0),
    _ATEN.addmm: _of_matrices(1),
    _ATEN.baddbmm: _of_matrices(1),
    _ATEN.mv: lambda args, output: args[0].numel(),
    _ATEN.linear: _of_matrices(0),
    _ATEN.convolution: _of_convolution,
    _ATEN.convolution_backward: _of_its_backward,
}
