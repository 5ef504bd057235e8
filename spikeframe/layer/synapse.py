"""The leaky synapse: a filter between layers that remembers."""

from typing import Any

import torch
from torch import Tensor, nn

from ..base import TracedModule
from ..base.parameter import Scalar, check_flag, check_number, show

__all__ = ["SynapseFilter"]


class SynapseFilter(TracedModule):
    r"""Synapse whose current a spike raises by 1, and which decays where there is none.

    .. math::
        I[t] = I[t-1] - \tfrac{1}{\tau} (1 - X[t])\, I[t-1] + X[t]

    Before a neuron it keeps what came long ago; after the last layer it is a readout.

    Arguments:
        tau: Time constant :math:`\tau > 1`, in time steps: a number, or a tensor that broadcasts
            to the input (per channel [C, 1, 1], per synapse).
        learnable: Learn it, as :math:`1 / \tau = \sigma(w)`.
        step_mode: 's' for one step per call, 'm' for a sequence.
        backend: 'auto', 'eager', 'torch', 'cpp', 'triton' or 'cupy'.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        out_i: current :math:`I`, the output of the last step, [N, \*]; 0 before the first.
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, or another argument is outside of what is allowed.
    References:
        | Exploiting Neuron and Synapse Filter Dynamics in Spatial Temporal Learning of Deep
          Spiking Neural Network (Fang et al., 2020)
        | https://arxiv.org/abs/2003.02944

    Example:
        >>> synapse = SynapseFilter(tau=2.0, step_mode="m")
        >>> synapse(torch.tensor([[1.0], [0.0], [0.0], [1.0]])).flatten()
        tensor([1.0000, 0.5000, 0.2500, 1.2500])
    """

    out_i: Any

    def __init__(
        self,
        tau: Scalar = 100.0,
        learnable: bool = False,
        *,
        step_mode: str = "s",
        backend: str = "auto",
    ) -> None:
        super().__init__(step_mode, backend)
        self.learnable = check_flag("learnable", learnable)
        values = torch.as_tensor(
            tau if isinstance(tau, Tensor) else check_number("tau", tau), dtype=torch.float64
        ).detach()
        if not bool(((values > 1) & values.isfinite()).all()):
            given = f"values from {values.min().item():g} to {values.max().item():g}"
            raise ValueError(
                "tau must be finite and greater than 1 (in time steps), got "
                f"{given if values.dim() else show(tau)}"
            )
        if learnable:
            # In double, as rounding tau - 1 first loses w.
            w = -(values - 1.0).log()
            self.set_parameter("w", nn.Parameter(w.to(torch.get_default_dtype())))
        else:
            self.set_parameter("tau", tau)
        self.register_memory("out_i", 0.0)

    def single_step_forward(self, x: Tensor) -> Tensor:
        """Decay, and add the input."""
        rate = self.w.sigmoid() if self.learnable else 1.0 / self.tau
        self.out_i = self.out_i - (1.0 - x) * self.out_i * rate + x
        return self.out_i

    def __getattr__(self, name: str) -> Any:
        if name == "tau" and "w" in self.__dict__.get("_parameters", {}):
            return 1.0 / self.w.sigmoid()
        return super().__getattr__(name)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        tau = self.tau.detach() if isinstance(self.tau, Tensor) else self.tau
        return f"tau={show(tau)}, learnable={self.learnable}, step_mode={self.step_mode}"
