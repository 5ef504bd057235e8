"""The products of many steps with one weight, by events where these give torch's own bits.

A dense product adds in the order of the index as well, where it need not cut its sums into
pieces: that is asked of it by trying, once for each shape. So events may take over at any step,
and no spike will differ.
"""

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .event_product import DTYPES, times, transposed_times

__all__ = ["EventSteps", "weight_grad"]

# Multiplications of a step that take longer than collecting its events.
LEAST_WORK = 2**20

# Densities at which random products are compared.
TRIED = (0.05, 0.3, 1.0)

# So many steps may have too many events before no more are tried.
PATIENCE = 3


class EventSteps:
    r"""The product of one weight with steps [N, \*, F_in] of few nonzeros.

    Arguments:
        weight: [F_out, F_in].
        bias: [F_out], or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias
        self._right: Tensor | None = None
        self._patience = PATIENCE

    def product(self, step: Tensor) -> Tensor | None:
        """``F.linear`` of a step, or None where the dense product is faster or may differ."""
        if self._patience == 0:
            return None
        if self._right is None:
            if not self._serves(step):
                self._patience = 0
                return None
            self._right = self._weight.t().contiguous()
        found = times(step.view(-1, step.shape[-1]), self._right)
        if found is None:
            self._patience -= 1
            return None
        if self._bias is not None:
            found += self._bias
        return found.view(*step.shape[:-1], -1)

    def _serves(self, step: Tensor) -> bool:
        """Whether this step, and all that lie like it, have the same bits by events."""
        weight = self._weight
        if step.device.type != "cpu" or step.dtype not in DTYPES or not step.is_contiguous():
            return False
        columns, inner = weight.shape
        if step.numel() * columns < LEAST_WORK or step.shape[-1] != inner:
            return False
        shape = step.numel() // inner, inner, columns
        kind = step.dtype, self._bias is not None
        set_to = torch.get_num_threads(), torch.get_float32_matmul_precision()
        # A zero times what is no number is none.
        return math.isfinite(weight.sum().item()) and has_torchs_bits(*shape, *kind, *set_to)


@functools.cache
def has_torchs_bits(
    rows: int,
    inner: int,
    columns: int,
    dtype: torch.dtype,
    with_bias: bool,
    threads: int,
    precision: str,
) -> bool:
    """Whether random products of a shape are equal to torch's, bit by bit, as torch is set now."""
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=dtype, device="cpu")

    for density in TRIED:
        weight, bias = draw(columns, inner), draw(columns) if with_bias else None
        fires = torch.rand((rows, inner), generator=generator, device="cpu") < density
        step = torch.where(fires, draw(rows, inner), 0.0)
        found = times(step, weight.t().contiguous(), most=1.0)
        if found is None:
            return False
        found = found if bias is None else found + bias
        if not torch.equal(found, F.linear(step, weight, bias)):
            return False
    return True


def weight_grad(grads: Tensor, states: Tensor) -> Tensor:
    """``grads.T @ states``, by events where the states have few."""
    found = None
    dense = grads.is_contiguous() and states.is_contiguous()
    if states.device.type == "cpu" and states.dtype in DTYPES and dense:
        # A zero times what is no number is none.
        finite = math.isfinite(grads.sum().item())
        found = transposed_times(states, grads) if finite else None
    return torch.mm(grads.t(), states) if found is None else found.t()
