"""What runs a program over a sequence, and the table of backends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .layout import Layout
from .program import Program

__all__ = ["BACKENDS", "Backend", "Engine", "new_saved", "parameter_grads"]

Sequences = list[Tensor]


def _nothing(*call: Any) -> str | None:
    """There is nothing to prepare."""
    return None


def new_saved(program: Program, layout: Layout) -> Sequences:
    """Empty tensors for what a program saves, as most engines keep it."""
    return [layout.saved(kind) for kind in program.saved]


def parameter_grads(
    program: Program, totals: Sequence[Tensor], parameters: Any
) -> dict[int, Tensor]:
    """The cotangents of parameters by their numbers, from those per neuron.

    Arguments:
        program: The program.
        totals: Per neuron, of each parameter that it differentiates.
        parameters: The parameters by their numbers.
    """
    wanted = {j: parameters[j] for j in program.differentiated}
    return {
        j: total.sum_to_size(parameter.shape).to(parameter.dtype)
        for (j, parameter), total in zip(wanted.items(), totals, strict=True)
    }


@dataclass(frozen=True)
class Engine:
    r"""What runs a program over a sequence.

    Arguments:
        forward: From program, layout, inputs [T, N, \*], states and parameters: outputs
            [T, N, \*], the states after the last step, and saved values [T, N, \*].
        backward: From program, layout, cotangents of outputs and states (None where there are
            none), saved values, saved inputs and parameters: cotangents of the inputs, the first
            states, and (per neuron) the differentiated parameters.
        why_not: The reason it cannot run on a device, or None.
        prepare: From program, dtype and parameters of a call: the reason it cannot run that,
            or None; what has to be built is built here.
        new_saved: From program and layout: tensors like those that the forward saves, which
            torch.compile asks for without running it.
        runs_steps: Whether a single step by it takes less time than the node's own lines.
    """

    forward: Callable[..., tuple[Sequences, Sequences, Sequences]]
    backward: Callable[..., tuple[Sequences, Sequences, Sequences]]
    why_not: Callable[[torch.device], str | None]
    prepare: Callable[[Program, torch.dtype, Sequence[Tensor | float]], str | None] = _nothing
    new_saved: Callable[[Program, Layout], Sequences] = new_saved
    runs_steps: bool = True


@dataclass(frozen=True)
class Backend:
    """One way to run a neuron over a sequence.

    Arguments:
        name: Its name in ``backend=``.
        run: Runs a call and returns the spikes [T, N, \\*]; the node's states change.
        why_not: The reason it cannot serve a node on a device, or this call of it, or None.
        engine: What runs the node's program, if that is what it does.
    """

    name: str
    run: Callable[[Any], Tensor]
    why_not: Callable[[Any, torch.device, Any], str | None]
    engine: Engine | None = None


# In the order in which 'auto' prefers them; filled by backend.py. The registered operator, which
# the engines' own calls need, finds them here.
BACKENDS: dict[str, Backend] = {}
