"""Compares a program with the very hooks it was traced from, before it is trusted."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import torch_program
from .layout import Layout
from .program import Program
from .symbol import Untraceable
from .trace import Trace

__all__ = ["verify"]

STEPS, BATCH = 3, 5
# Both sides compute in float64; a wrong line is wrong by far more.
TOLERANCE = 1e-6

_VERIFIED: set[tuple[type, str]] = set()


def verify(node: Any, trace: Trace, program: Program) -> None:
    """Run hooks and program side by side on a small random input; once per class and program.

    Raises:
        Untraceable: Values or gradients differ.
    """
    key = (type(node), program.text)
    if key in _VERIFIED:
        return
    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        parameters = [uniform.evaluate(node) for uniform, _ in trace.parameters]
        x_seqs, states = _inputs(trace, parameters)
        expected = _by_hooks(node, trace, x_seqs, states, program, parameters)
        found = _by_program(program, x_seqs, states, parameters)
    for what, hook, value in zip(("values", "gradients"), expected, found, strict=True):
        if not all(map(_close, hook, value)):
            raise Untraceable(f"its program gives other {what} than its own lines")
    _VERIFIED.add(key)


def _inputs(trace: Trace, parameters: Sequence[Any]) -> tuple[list[Tensor], list[Tensor]]:
    shapes = [p.shape for p in parameters if isinstance(p, Tensor)]
    device = next((p.device for p in parameters if isinstance(p, Tensor)), "cpu")
    shape = (BATCH, *torch.broadcast_shapes(*shapes))
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> Tensor:
        values = torch.rand(*size, *shape, generator=generator, dtype=torch.float64) * 2.6 - 0.4
        return values.to(device).requires_grad_()

    return [draw(STEPS) for _ in trace.inputs], [draw() for _ in trace.states]


def _by_hooks(
    node: Any,
    trace: Trace,
    x_seqs: list[Tensor],
    states: list[Tensor],
    program: Program,
    parameters: list[Any],
) -> tuple[list[Tensor], list[Tensor]]:
    kept = dict(node._memories)
    try:
        for (name, _), state in zip(trace.states, states, strict=True):
            setattr(node, name, state)
        steps = zip(*(x.unbind(0) for x in x_seqs), strict=True)
        spikes = torch.stack([node.single_step_forward(*inputs) for inputs in steps])
        last = [getattr(node, name) for name, _ in trace.states]
    finally:
        node._memories.update(kept)
    wanted = [*x_seqs, *states]
    loss = _loss([spikes, *last])
    grads = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [spikes, *last], [
        torch.zeros_like(w) if g is None else g for w, g in zip(wanted, grads, strict=True)
    ]


def _by_program(
    program: Program, x_seqs: list[Tensor], states: list[Tensor], parameters: list[Any]
) -> tuple[list[Tensor], list[Tensor]]:
    layout = Layout(x_seqs[0])
    with torch.no_grad():
        outputs, last, saved = torch_program.forward(program, layout, x_seqs, states, parameters)
        cotangents = [_weights(value) for value in (outputs[0], *last)]
        x_grads, state_grads, _ = torch_program.backward(
            program,
            layout,
            [cotangents[0]],
            cotangents[1:],
            saved,
            {i: x_seqs[i] for i in program.saved_inputs},
            parameters,
        )
    return [outputs[0], *last], [*x_grads, *state_grads]


def _loss(values: Sequence[Tensor]) -> Tensor:
    return torch.stack([(value * _weights(value)).sum() for value in values]).sum()


def _weights(value: Tensor) -> Tensor:
    return torch.linspace(-1, 1, value.numel(), dtype=value.dtype).reshape(value.shape).to(value)


def _close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a.detach(), b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
