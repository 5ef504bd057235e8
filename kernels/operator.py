r"""The registered operator: a program over a sequence as one node of a graph.

``spikeframe::multi_step`` serves all neurons. It takes lists of inputs, states and parameters, and
the program as text; what captures a graph (torch.compile, torch.export, fake tensors, vmap) sees
the shapes of its results, and never its lines. Eager calls (``fused.py``) need none of it.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from . import recompute
from .engine import BACKENDS, Engine
from .layout import Layout
from .parse import parse
from .program import Program

__all__ = ["BACKWARD", "FORWARD", "LIBRARY", "Spec", "backward_run", "forward_run"]

LIBRARY = torch.library.Library("spikeframe", "DEF")

# A parameter is a tensor at one of the positions, or else the next of the numbers.
_SPEC = "int[] positions, float[] numbers, str program, str backend, str save"
_TAGS = (torch.Tag.pt2_compliant_tag,)

LIBRARY.define(
    f"multi_step(Tensor[] x_seqs, Tensor[] states, Tensor[] parameters, {_SPEC}) -> Tensor[]",
    tags=_TAGS,
)
LIBRARY.define(
    "multi_step_backward(Tensor?[] grads, Tensor[] saved, Tensor[] x_seqs, Tensor[] states, "
    f"Tensor[] parameters, {_SPEC}, SymInt[] size, SymInt[] stride, ScalarType dtype) -> Tensor[]",
    tags=_TAGS,
)

FORWARD = torch.ops.spikeframe.multi_step.default
BACKWARD = torch.ops.spikeframe.multi_step_backward.default

Tensors = Sequence[Tensor]


class Spec:
    """What both directions are told besides tensors.

    Arguments:
        positions: Which parameters are tensors, in order.
        numbers: The other parameters.
        program: The program's text.
        backend: The name of one that runs programs; 'auto' for the first that serves where this
            runs, which an exported program does not know.
        save: A name of ``recompute.MODES``.

    Raises:
        ValueError: An argument is none of these.
    """

    def __init__(
        self,
        positions: Sequence[int],
        numbers: Sequence[float],
        program: str,
        backend: str,
        save: str,
    ) -> None:
        known = [name for name, row in BACKENDS.items() if row.engine is not None]
        if backend not in ("auto", *known):
            raise ValueError(
                f"backend must be one of 'auto', {', '.join(map(repr, known))}, got {backend!r}"
            )
        self.positions, self.numbers = positions, numbers
        self.text, self.backend, self.save = program, backend, recompute.check_save(save)
        self.program = parse(program)

    def engine(
        self, device: torch.device, dtype: torch.dtype, parameters: Sequence[Tensor | float]
    ) -> Engine:
        """What runs the program there.

        Raises:
            RuntimeError: It cannot run there, with the reasons.
        """
        names = BACKENDS if self.backend == "auto" else [self.backend]
        parameters = [_of_known_size(p) for p in parameters]
        reasons = []
        for name in names:
            engine = BACKENDS[name].engine
            if engine is None:
                continue
            reason = engine.why_not(device) or engine.prepare(self.program, dtype, parameters)
            if reason is None:
                return engine
            reasons.append(f"{name}: {reason}")
        raise RuntimeError(
            f"a captured neuron cannot run on {device} ({'; '.join(reasons)}): capture it with "
            "backend='eager', or with 'auto' for torch.export"
        )

    @property
    def arguments(self) -> tuple[Sequence[int], Sequence[float], str, str, str]:
        """As the operator takes them."""
        return self.positions, self.numbers, self.text, self.backend, self.save

    @cached_property
    def kept_inputs(self) -> tuple[int, ...]:
        """The inputs that the backward reads."""
        return recompute.kept_inputs(self.program, self.save)

    def parameters(self, tensors: Tensors) -> list[Tensor | float]:
        """Tensors and numbers in the program's order."""
        count, positions = self.program.n_parameters, list(self.positions)
        if len(tensors) != len(positions) or len(tensors) + len(self.numbers) != count:
            raise ValueError(
                f"a program of {count} parameters got {len(tensors)} tensors at "
                f"{len(positions)} positions and {len(self.numbers)} numbers"
            )
        if positions != sorted({i for i in positions if 0 <= i < count}):
            raise ValueError(f"positions must be below {count} and in order, got {positions}")
        given, rest = iter(tensors), iter(self.numbers)
        return [next(given) if i in positions else next(rest) for i in range(count)]


def forward_run(x_seqs: Tensors, states: Tensors, tensors: Tensors, *spec: Any) -> list[Tensor]:
    r"""Outputs [T, N, \*], the states after the last step, and what is kept for the backward."""
    told = Spec(*spec)
    parameters = told.parameters(tensors)
    _check_call(told.program, x_seqs, states, tensors)
    engine = told.engine(x_seqs[0].device, x_seqs[0].dtype, parameters)
    outputs, new_states, saved = recompute.forward(
        engine, told.program, told.save, x_seqs, states, parameters
    )
    return [*outputs, *new_states, *saved]


def _forward_fake(x_seqs: Tensors, states: Tensors, tensors: Tensors, *spec: Any) -> list[Tensor]:
    """Empty tensors like the results of :func:`forward_run`."""
    told = Spec(*spec)
    parameters = told.parameters(tensors)
    _check_call(told.program, x_seqs, states, tensors)
    layout = Layout(x_seqs[0])
    engine = told.engine(layout.device, layout.dtype, parameters)
    return [
        *(layout.sequence() for _ in range(told.program.n_outputs)),
        *(layout.step() for _ in range(told.program.n_states)),
        *recompute.new_saved(engine, told.program, told.save, layout),
    ]


def backward_run(
    grads: Sequence[Tensor | None],
    saved: Tensors,
    x_seqs: Tensors,
    states: Tensors,
    tensors: Tensors,
    *rest: Any,
) -> list[Tensor]:
    """Cotangents of inputs and first states, and per neuron of the differentiated parameters."""
    *spec, size, stride, dtype = rest
    told = Spec(*spec)
    layout, parameters = _layout(size, stride, dtype), told.parameters(tensors)
    engine = told.engine(_device(grads), dtype, parameters)
    kept = _as_written(saved, recompute.new_saved(engine, told.program, told.save, layout))
    layout.device = _device(grads)
    x_grads, state_grads, totals = recompute.backward(
        engine,
        told.program,
        told.save,
        layout,
        grads[: told.program.n_outputs],
        grads[told.program.n_outputs :],
        kept,
        dict(zip(told.kept_inputs, x_seqs, strict=True)),
        states,
        parameters,
    )
    return [*x_grads, *state_grads, *totals]


def _backward_fake(
    grads: Sequence[Tensor | None],
    saved: Tensors,
    x_seqs: Tensors,
    states: Tensors,
    tensors: Tensors,
    *rest: Any,
) -> list[Tensor]:
    """Empty tensors like the results of :func:`backward_run`."""
    *spec, size, stride, dtype = rest
    program, layout = Spec(*spec).program, _layout(size, stride, dtype)
    layout.device = _device(grads)
    per_neuron = program.n_states + len(program.differentiated)
    return [
        *(layout.sequence() for _ in range(program.n_inputs)),
        *(layout.step() for _ in range(per_neuron)),
    ]


def _check_call(program: Program, x_seqs: Tensors, states: Tensors, tensors: Tensors) -> None:
    """Raise a ValueError unless all fits: an engine goes through memory by it."""
    if len(x_seqs) != program.n_inputs or len(states) != program.n_states:
        raise ValueError(
            f"a program of {program.n_inputs} inputs and {program.n_states} states got "
            f"{len(x_seqs)} and {len(states)}"
        )
    first = x_seqs[0]
    if first.dim() < 1 or first.shape[0] < 1 or not first.is_floating_point():
        raise ValueError(
            "an input is a floating-point sequence [T, N, *] of at least one step, got "
            f"{first.dtype} of shape {list(first.shape)}"
        )
    if any(x.shape != first.shape or x.dtype != first.dtype for x in x_seqs):
        raise ValueError("inputs must have the same shape and dtype")
    for state in states:
        if state.shape != first.shape[1:]:
            raise ValueError(
                f"a state of shape {list(state.shape)} is not one step of {list(first.shape)}"
            )
    for tensor in tensors:
        sizes = zip(reversed(tensor.shape), reversed(first.shape[1:]), strict=False)
        if tensor.dim() >= first.dim() or any(a != 1 and a != b for a, b in sizes):
            raise ValueError(
                f"a parameter of shape {list(tensor.shape)} does not broadcast to one step of "
                f"{list(first.shape)}"
            )


def _of_known_size(parameter: Tensor | float) -> Tensor | float:
    """A tensor of symbolic sizes as one or several values, which is what engines ask."""
    if not isinstance(parameter, Tensor) or not parameter._has_symbolic_sizes_strides:
        return parameter
    return parameter.new_empty(2 if bool(parameter.numel() > 1) else 1)


def _layout(size: Sequence[int], stride: Sequence[int], dtype: torch.dtype) -> Layout:
    """The layout of the inputs, of which the backward may have none; without memory."""
    return Layout(torch.empty_strided(size, stride, dtype=dtype, device="meta"))


def _device(grads: Sequence[Tensor | None]) -> torch.device:
    return next(grad.device for grad in grads if grad is not None)


def _as_written(saved: Tensors, expected: Tensors) -> list[Tensor]:
    """What the forward saved; a compiler may have laid it out anew."""
    if [s.shape for s in saved] != [e.shape for e in expected]:
        raise ValueError(
            f"saved tensors of shapes {[list(s.shape) for s in saved]} are not those of the "
            f"program, {[list(e.shape) for e in expected]}"
        )
    return [
        s if s.stride() == e.stride() else torch.empty_like(e, device=s.device).copy_(s)
        for s, e in zip(saved, expected, strict=True)
    ]


LIBRARY.impl("multi_step", forward_run, "CompositeExplicitAutograd")
LIBRARY.impl("multi_step_backward", backward_run, "CompositeExplicitAutograd")
torch.library.register_fake("spikeframe::multi_step", _forward_fake, lib=LIBRARY)
torch.library.register_fake("spikeframe::multi_step_backward", _backward_fake, lib=LIBRARY)
