"""The arguments of a CUDA kernel, in the order in which its source names them."""

import ctypes
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .cuda_source import divisors
from .layout import Layout
from .program import Program

__all__ = ["Argument", "Arguments", "kinds_of"]

# An access of a thread is of so many bytes at most, and must lie at a multiple of them.
ACCESS = 16

Argument = int | float | np.float32


class Arguments:
    """Collects the arguments of one launch, and how many neurons a thread may have.

    Arguments:
        layout: How the tensors lie.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.values: list[Argument] = [layout.steps, layout.size]
        # A power of two: as many neurons as lie whole in every step of every tensor.
        self.width = layout.size & -layout.size
        self._alive: list[Tensor] = []

    def read(self, sequence: Tensor | None) -> None:
        """A sequence: where it lies, and how far apart its steps are; null for zeros."""
        self.add(sequence)
        if sequence is None:
            self.values.append(0)
            return
        stride = sequence.stride(0)
        self.values.append(stride)
        self._align(stride * sequence.itemsize, sequence.itemsize)

    def carry(self, first: Tensor | None, last: Tensor) -> None:
        """A state before the first step (null for 0) and after the last."""
        self.add(first)
        self.add(last)

    def add(self, tensor: Tensor | None) -> None:
        """Where a tensor lies, its steps one after another; null for none."""
        if tensor is None:
            self.values.append(0)
            return
        address = tensor.data_ptr()
        self.values.append(address)
        self._align(address, tensor.itemsize)
        self._alive.append(tensor)

    def parameter(self, parameter: Tensor | float, kind: str) -> None:
        """A parameter of a kind, as ``kinds_of`` gives it."""
        if kind == "many" or kind == "one":
            values, inner, size = self._layout.index(parameter)  # type: ignore[arg-type]
            self._alive.append(values)
            self.values.append(values.data_ptr())
            self.values += (inner, size) if kind == "many" else ()
            return
        number = float(parameter)
        if self._layout.precision == torch.float64:
            self.values.append(number)
        else:  # rounded as C does: numpy would warn of what becomes infinite
            self.values.append(np.float32(ctypes.c_float(number).value))

    def _align(self, place: int, itemsize: int) -> None:
        """Rows begin at an address, or at this distance of one another."""
        if place % ACCESS:
            self.width = min(self.width, (place & -place) // itemsize)


def kinds_of(
    program: Program, parameters: Sequence[Tensor | float], device: torch.device
) -> tuple[str, ...]:
    """How each parameter is passed, as ``cuda_source.source`` has it.

    A number that lies on the device is read there: to read it here would wait for the device.
    """
    by = divisors(program)
    return tuple([_kind(p, i in by, device) for i, p in enumerate(parameters)])


def _kind(parameter: Tensor | float, divides: bool, device: torch.device) -> str:
    if isinstance(parameter, Tensor):
        if parameter.numel() > 1:
            return "many"
        if parameter.device.type == device.type:
            return "one"
    return "power" if divides and _is_power_of_two(float(parameter)) else "number"


def _is_power_of_two(number: float) -> bool:
    """Whether its inverse is exact, in the range of float32."""
    fraction, exponent = math.frexp(number)
    return abs(fraction) == 0.5 and abs(exponent) < 100
