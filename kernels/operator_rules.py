"""How the registered operator is differentiated, and mapped over a batch of calls."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .engine import parameter_grads
from .operator import BACKWARD, FORWARD, LIBRARY, Spec
from .program import Program
from .transforms import FORWARD_MODE, SECOND, is_transformed

__all__ = ["moved", "spread"]

Tensors = Sequence[Tensor]


class _Differentiable(torch.autograd.Function):
    """The operator, whose backward is the other operator."""

    @staticmethod
    def forward(ctx: Any, spec: Spec, n: int, m: int, *given: Tensor) -> tuple[Tensor, ...]:
        x_seqs, states, tensors = given[:n], given[n : n + m], given[n + m :]
        with _below():
            results = FORWARD(x_seqs, states, tensors, *spec.arguments)
        saved = results[spec.program.n_outputs + m :]
        inputs = [x_seqs[i] for i in spec.kept_inputs]
        first = states if spec.save == "input" else ()
        ctx.save_for_backward(*saved, *inputs, *first, *tensors)
        ctx.ends = (len(saved), len(saved) + len(inputs), len(saved) + len(inputs) + len(first))
        x = x_seqs[0]
        ctx.spec, ctx.like = spec, (x.shape, x.stride(), x.dtype)
        ctx.set_materialize_grads(False)
        if not is_transformed():
            # In a transform the way back to here is left open, for _Once to find.
            ctx.mark_non_differentiable(*saved)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        program, kept, (a, b, c) = ctx.spec.program, ctx.saved_tensors, ctx.ends
        _refuse(program, grads)
        n, m = program.n_inputs, program.n_states
        used, tensors = list(grads[: program.n_outputs + m]), kept[c:]
        if all(grad is None for grad in used):
            return (None,) * (3 + n + m + len(tensors))
        found = BACKWARD(
            used, kept[:a], kept[a:b], kept[b:c], tensors, *ctx.spec.arguments, *ctx.like
        )
        positions = ctx.spec.positions
        parameters = dict(zip(positions, tensors, strict=True))
        reduced = parameter_grads(program, found[n + m :], parameters)
        return (None, None, None, *found[: n + m], *map(reduced.get, positions))


def _refuse(program: Program, grads: Sequence[Tensor | None]) -> None:
    if program.backward is None:
        raise RuntimeError(
            "this graph was captured without gradients (under torch.no_grad(), or as nothing "
            "required them): capture it again where they are wanted"
        )
    is_batched = torch._C._functorch.is_legacy_batchedtensor
    if any(grad is not None and is_batched(grad) for grad in grads):
        raise RuntimeError(SECOND)
    if torch.is_grad_enabled() and not is_transformed():
        raise RuntimeError(SECOND)


class _Once(torch.autograd.Function):
    """The backward of a transform, which always asks for a second derivative; few want one."""

    @staticmethod
    def forward(ctx: Any, spec: Sequence[Any], ends: Sequence[int], *given: Any) -> Any:
        lists = [given[a:b] for a, b in pairwise((0, *ends))]
        with _below():
            return tuple(BACKWARD(*lists, *spec))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError(SECOND)


def _forward(x_seqs: Tensors, states: Tensors, tensors: Tensors, *spec: Any) -> Sequence[Tensor]:
    given = (*x_seqs, *states, *tensors)
    _refuse_forward_mode(given)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given):
        return _applied(_Differentiable, Spec(*spec), len(x_seqs), len(states), *given)
    with torch._C._AutoDispatchBelowAutograd():
        return FORWARD(x_seqs, states, tensors, *spec)


def _backward(*arguments: Any) -> Sequence[Tensor]:
    lists, spec = arguments[:5], arguments[5:]
    given = [tensor for tensors in lists for tensor in tensors]
    _refuse_forward_mode([tensor for tensor in given if tensor is not None])
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in given):
        return _applied(_Once, spec, tuple(accumulate(map(len, lists))), *given)
    with torch._C._AutoDispatchBelowAutograd():
        return BACKWARD(*arguments)


def _applied(function: Any, *arguments: Any) -> Sequence[Tensor]:
    """``function.apply``, at the level that a transform has already picked."""
    if not is_transformed():
        return function.apply(*arguments)
    from torch._functorch.utils import enable_single_level_autograd_function

    with enable_single_level_autograd_function():
        return super(torch.autograd.Function, function).apply(*arguments)


@contextmanager
def _below() -> Iterator[None]:
    """Past this level's autograd; in a transform the next level differentiates as well."""
    inside = is_transformed()
    with (
        torch._C._AutoDispatchBelowAutograd(),
        torch.set_grad_enabled(inside),
        forward_ad._set_fwd_grad_enabled(inside),
    ):
        yield


def _refuse_forward_mode(tensors: Tensors) -> None:
    """Left alone, the tangents would be dropped: a derivative of zero."""
    if forward_ad._current_level < 0:
        return
    if any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors):
        raise RuntimeError(FORWARD_MODE)


def _map_forward(
    info: Any, dims: Any, x_seqs: Tensors, states: Tensors, tensors: Tensors, *spec: Any
) -> tuple[list[Tensor], list[int]]:
    """The mapped axis is one more axis of neurons, the first."""
    size = info.batch_size
    step = _rank(x_seqs[0], dims[0][0]) - 1
    program = Spec(*spec).program
    results = FORWARD(
        moved(x_seqs, dims[0], 1, size),
        moved(states, dims[1], 0, size),
        spread(tensors, dims[2], step),
        *spec,
    )
    n = program.n_outputs
    return results, [0 if n <= i < n + program.n_states else 1 for i in range(len(results))]


def _map_backward(
    info: Any,
    dims: Any,
    grads: Sequence[Tensor | None],
    saved: Tensors,
    x_seqs: Tensors,
    states: Tensors,
    tensors: Tensors,
    *rest: Any,
) -> tuple[list[Tensor], list[int]]:
    *spec, size, _, dtype = rest
    program = Spec(*spec).program
    n, batch = program.n_outputs, info.batch_size
    size = torch.Size((size[0], batch, *size[1:]))
    results = BACKWARD(
        [
            *moved(grads[:n], dims[0][:n], 1, batch),
            *moved(grads[n:], dims[0][n:], 0, batch),
        ],
        moved(saved, dims[1], 1, batch),
        moved(x_seqs, dims[2], 1, batch),
        moved(states, dims[3], 0, batch),
        spread(tensors, dims[4], len(size) - 2),
        *spec,
        size,
        torch.empty(size, device="meta").stride(),
        dtype,
    )
    return results, [int(i < program.n_inputs) for i in range(len(results))]


def _rank(tensor: Tensor, dim: int | None) -> int:
    return tensor.dim() - (dim is not None)


def moved(tensors: Sequence[Any], dims: Sequence[int | None], to: int, size: int) -> list[Any]:
    """Tensors with the mapped axis at ``to``; those that are not mapped are repeated."""
    found: list[Any] = []
    for tensor, dim in zip(tensors, dims, strict=True):
        if tensor is None:
            found.append(None)
        elif dim is not None:
            found.append(tensor.movedim(dim, to).contiguous())
        else:
            shape = (*tensor.shape[:to], size, *tensor.shape[to:])
            found.append(tensor.unsqueeze(to).expand(shape).contiguous())
    return found


def spread(tensors: Tensors, dims: Sequence[int | None], step: int) -> list[Tensor]:
    """Parameters that broadcast to [size, N, \\*], those that are mapped with it first."""
    found = []
    for tensor, dim in zip(tensors, dims, strict=True):
        if dim is None:
            found.append(tensor)
        else:
            first = tensor.movedim(dim, 0)
            ones = (1,) * (step - first.dim() + 1)
            found.append(first.reshape(first.shape[0], *ones, *first.shape[1:]))
    return found


LIBRARY.impl("multi_step", _forward, "Autograd")
LIBRARY.impl("multi_step_backward", _backward, "Autograd")
torch.library.register_vmap("spikeframe::multi_step", _map_forward, lib=LIBRARY)
torch.library.register_vmap("spikeframe::multi_step_backward", _map_backward, lib=LIBRARY)
