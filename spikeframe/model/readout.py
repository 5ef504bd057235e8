"""Reads a class's score as the membrane potential of a neuron that never fires."""

from typing import Any

from torch import Tensor, nn

from .. import neuron

__all__ = ["MembraneReadout"]


class MembraneReadout(nn.Module):
    r"""The membrane potential of a node in place of its spikes.

    Spikes of an output layer count in steps of 1 / T, too coarse to rank classes over a few
    steps; the potential of the same neuron with the threshold out of reach is not.

    Arguments:
        node: A node, its threshold ``math.inf`` for a pure integrator. It is set to keep its
            potentials (``store_v_seq``).
    Shape:
        input, output: [N, \*] when the node's step_mode is 's', [T, N, \*] when it is 'm'.

    Example:
        >>> import math, torch
        >>> readout = MembraneReadout(neuron.IFNode(v_threshold=math.inf, step_mode="m"))
        >>> readout(torch.ones(3, 1)).flatten()
        tensor([1., 2., 3.])
    """

    def __init__(self, node: neuron.BaseNode) -> None:
        super().__init__()
        self.node = node
        self.node.store_v_seq = True

    def forward(self, x: Tensor) -> Any:
        r"""The potential after each step, [N, \*] or [T, N, \*]."""
        self.node(x)
        return self.node.v if self.node.step_mode == "s" else self.node.v_seq
