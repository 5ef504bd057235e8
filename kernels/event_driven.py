"""A linear map that reads only the weights its input's nonzeros select, where that is faster."""

import math
from typing import Any

import torch
from torch import Tensor

from .event_product import DTYPES, density, most_dense, run_times, transposed_times
from .watched import TENSORS, is_plain, is_watched

__all__ = ["event_linear", "input_major", "is_input_major"]

# Multiplications of a dense product that the questions asked here are little beside.
LEAST_WORK = 2**25

# The same for few rows, which nothing but the product itself looks at.
LEAST_WORK_OF_FEW, FEW_ROWS = 2**17, 64

# Laying out a weight input by input first costs as much as some products of so many rows.
ROWS_TO_LAY_OUT = 256


def event_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    r"""``F.linear(x, weight, bias)`` by events, or None where the dense product is faster.

    None too where the call is not one for a kernel: on other devices and dtypes, for subclasses
    of tensors, under torch.compile, autocast, transforms and modes, without a C++ compiler.

    The results differ by rounding. With more than 64 rows they are those of the dense product in
    every other way; with fewer, a zero of x selects nothing also where the weight is inf or nan.

    Arguments:
        x: The input [\*, F_in].
        weight: The weight [F_out, F_in]. With few rows it must be one of :func:`input_major`.
        bias: [F_out], or None.
    """
    # While a graph is taken, sizes are no numbers.
    if torch.compiler.is_compiling() or torch._C._is_tracing() or not _serves(x, weight, bias):
        return None
    product = _product(x, weight, bias)
    if product is None or not torch.is_grad_enabled():
        return product
    if x.requires_grad or _needs_grad(weight, bias):
        made: Tensor = _Linear.apply([product], x, weight, bias)
        return made
    return product


def input_major(weight: Tensor) -> Tensor:
    """The weight with the weights of each input side by side, as a step of events selects them.

    Its shape and values stay; only its strides change.
    """
    return weight.t().contiguous().t()


def is_input_major(weight: Tensor) -> bool:
    """Whether the weights of each input are side by side."""
    return weight.stride(0) == 1 and weight.stride(1) == weight.shape[0]


def _serves(x: Any, weight: Any, bias: Any) -> bool:
    """Whether a call is one for the kernel, as far as can be told without reading values."""
    if type(x) is not Tensor or type(weight) not in TENSORS or weight.dim() != 2 or x.dim() < 1:
        return False
    columns, inner = shape = weight.shape
    work, dtype = x.numel() * columns, x.dtype
    if work < LEAST_WORK_OF_FEW or x.shape[-1] != inner or dtype not in DTYPES:
        return False
    if work < LEAST_WORK and (x.numel() > FEW_ROWS * inner or weight.stride() != (1, columns)):
        return False
    if not (weight.dtype is dtype and is_plain(weight) and is_plain(x) and x.stride(-1) == 1):
        return False
    if bias is not None and not (
        type(bias) in TENSORS
        and bias.shape == shape[:1]
        and bias.stride(0) == 1
        and bias.dtype is dtype
        and is_plain(bias)
    ):
        return False
    return not is_watched()


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """The product by the kernel, or None where the dense one is faster."""
    columns, inner = weight.shape
    rows, by_inputs = x.numel() // inner, weight.stride() == (1, columns)
    most = most_dense(rows, columns)
    if rows <= FEW_ROWS:
        # Steps of a stream come here, where every operation of torch's would count.
        matrix, right = x, weight
        if not (by_inputs and x.is_contiguous()):
            return None
    else:
        most *= 1 if by_inputs else 1 - ROWS_TO_LAY_OUT / rows
        matrix = x.detach().reshape(-1, inner) if most > 0 else x
        if most <= 0 or density(matrix) > most:
            return None
        right, most = weight.detach().t().contiguous(), 1.0
        if not _is_finite(right):
            return None
    strides = matrix.stride(-2) if rows > 1 else inner, columns
    # Of its own shape from the start: of a view autograd would forbid changes in place.
    out = x.new_empty(*x.shape[:-1], columns)
    return (
        out if run_times((rows, inner, columns), strides, matrix, right, bias, out, most) else None
    )


def _needs_grad(weight: Tensor, bias: Tensor | None) -> bool:
    return weight.requires_grad or (bias is not None and bias.requires_grad)


def _is_finite(values: Tensor) -> bool:
    """Whether no value is inf or nan; a sum beyond all numbers counts as one."""
    return math.isfinite(values.sum().item())


class _Linear(torch.autograd.Function):
    """A product made before, and its gradients."""

    @staticmethod
    def forward(
        ctx: Any, made: list[Tensor], x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        return made.pop()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,), (x, weight) = grads, ctx.saved_tensors
        _, needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        rows, matrix = grad.reshape(-1, weight.shape[0]), x.reshape(-1, weight.shape[1])
        x_grad = (rows @ weight).view(x.shape) if needs_x else None
        weight_grad = _weight_grad(rows, matrix, weight) if needs_weight else None
        return None, x_grad, weight_grad, rows.sum(0) if needs_bias else None


def _weight_grad(rows: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """The gradient of the weight, laid out as the weight is."""
    # What is to be differentiated again, or is a batch of gradients, is torch's own product.
    batched = torch._C._functorch.is_legacy_batchedtensor(rows)
    if not (batched or torch.is_grad_enabled() or is_watched()) and _is_ordered(x, rows, weight):
        found = transposed_times(x, rows.contiguous()) if _is_finite(rows) else None
        if found is not None:
            return found.t() if is_input_major(weight) else found.t().contiguous()
    return rows.t() @ x


def _is_ordered(x: Tensor, rows: Tensor, weight: Tensor) -> bool:
    """Whether a kernel can read what autograd hands back: hooks may have made it anew."""
    plain = type(x) is Tensor and type(rows) is Tensor and x.stride(1) == 1
    return plain and x.dtype is rows.dtype is weight.dtype and is_plain(x) and is_plain(rows)
