"""The leaky integrate-and-fire neuron with a synaptic current."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .. import surrogate
from .base_node import BaseNode
from .parameter import Scalar

__all__ = ["CUBALIFNode"]


class CUBALIFNode(BaseNode):
    r"""Leaky integrate-and-fire neuron, current-based: the input decays as a current first.

    .. math::
        C[t] &= \alpha C[t-1] + X[t] \\
        H[t] &= \beta V[t-1] + C[t] \\
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    Arguments:
        c_decay: Decay of the current per step :math:`\alpha`, 0 to 1.
        v_decay: Decay of the membrane potential per step :math:`\beta`, 0 to 1; towards 0,
            whatever v_reset is.
        surrogate_function: The spike with its surrogate gradient; ``surrogate.Rect()`` by
            default.
        v_threshold, v_reset, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
        c: synaptic current, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    References:
        | Neuronal Dynamics (Gerstner, Kistler, Naud, Paninski, 2014), section 1.3
        | https://neuronaldynamics.epfl.ch/online/Ch1.S3.html

    Example:
        >>> import torch
        >>> node = CUBALIFNode(step_mode="m", store_state_seqs=True)
        >>> node(torch.tensor([[0.25], [0.0], [0.0]])).flatten()
        tensor([0., 0., 0.])
        >>> node.state_seqs["c"].flatten(), node.state_seqs["v"].flatten()
        (tensor([0.2500, 0.1250, 0.0625]), tensor([0.2500, 0.3125, 0.2969]))
    """

    c: Any
    c_decay: Scalar
    v_decay: Scalar

    def __init__(
        self,
        c_decay: Scalar = 0.5,
        v_decay: Scalar = 0.75,
        v_threshold: Scalar = 0.5,
        v_reset: Scalar | None = 0.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        detach_reset: bool = False,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        super().__init__(
            v_threshold,
            v_reset,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        self.set_parameters(c_decay=c_decay, v_decay=v_decay)
        self.register_memory("c", 0.0)

    def default_surrogate(self) -> Callable[[Tensor], Tensor]:
        """A new ``surrogate.Rect()``."""
        return surrogate.Rect()

    def neuronal_charge(self, x: Tensor) -> None:
        """The current takes the input, the membrane takes the current."""
        self.c = self.c * self.c_decay + x
        self.v = self.v * self.v_decay + self.c
