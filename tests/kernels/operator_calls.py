"""Arguments of the registered operator, made of nodes."""

from typing import Any, NamedTuple

import torch
from cases import sequence
from spikeframe.kernels.cache import traced

__all__ = ["Call", "call_of"]


class Call(NamedTuple):
    """The arguments of spikeframe::multi_step, in its order."""

    x_seqs: list[torch.Tensor]
    states: list[torch.Tensor]
    tensors: list[torch.Tensor]
    positions: list[int]
    numbers: list[float]
    program: str
    backend: str
    save: str

    @property
    def differentiable(self) -> list[torch.Tensor]:
        """What may get a gradient."""
        return [*self.x_seqs, *self.states, *self.tensors]


def call_of(
    node: Any,
    n: int = 1,
    shape: tuple[int, ...] = (3, 7),
    *,
    T: int = 5,
    wanted: bool = True,
    sequences: tuple[int, ...] = (),
    backend: str = "torch",
    save: str = "auto",
    dtype: torch.dtype = torch.float32,
) -> Call:
    """A call of a node's program on random inputs and states; all require gradients if wanted."""
    known = traced(node, n, dtype == torch.float64)
    values = [uniform.evaluate(node) for uniform, _ in known.trace.parameters]
    positions = [i for i, value in enumerate(values) if isinstance(value, torch.Tensor)]
    program = known.program(sequences, positions if wanted else None)
    tensors = [values[i].detach().to(dtype) for i in positions]
    x_seqs = [sequence(shape, T, seed=i, dtype=dtype) for i in range(n)]
    states = [sequence(shape, 1, seed=9 + i, dtype=dtype)[0] for i in range(program.n_states)]
    for tensor in (*x_seqs, *states, *tensors):
        tensor.requires_grad_(wanted)
    numbers = [float(v) for v in values if not isinstance(v, torch.Tensor)]
    return Call(x_seqs, states, tensors, positions, numbers, program.text, backend, save)
