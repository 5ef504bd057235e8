"""Neurons that never fire: their membrane is a net's output."""

from typing import Any

import torch
from torch import Tensor

from ..base.guard import note_backward
from .base_node import BaseNode
from .lif import check_tau
from .parameter import Scalar, show

__all__ = ["NonSpikingBaseNode", "NonSpikingIFNode", "NonSpikingLIFNode"]

# The states that a decoding keeps, with what they start as.
DECODINGS: dict[str | None, dict[str, float]] = {
    None: {},
    "last-mem": {},
    "max-mem": {"top": -torch.inf},
    "max-abs-mem": {"top": -torch.inf, "bottom": torch.inf},
    "mean-mem": {"total": 0.0, "steps": 0.0},
}


class NonSpikingBaseNode(BaseNode):
    r"""Base class of readouts: subclass it and write ``neuronal_charge``.

    .. math::
        V[t] = f(V[t-1], X[t]), \qquad
        Y = V[T], \quad \max_t V[t], \quad V[\arg\max_t |V[t]|] \quad\text{or}\quad
        \tfrac{1}{T} \sum_t V[t]

    The steps counted are those since the last reset (SpikingJelly's readouts reset themselves at
    every call, and take sequences only).

    Arguments:
        decode: 'last-mem', 'max-mem', 'max-abs-mem' or 'mean-mem', or None for the potentials
            themselves. 'last_mem' is SpikingJelly's name of 'last-mem'.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
        output: [N, \*]; without decode [T, N, \*] when step_mode is 'm'.
    State:
        v: membrane potential, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: decode is unknown.
    """

    top: Any
    bottom: Any
    total: Any
    steps: Any

    def __init__(
        self,
        decode: str | None = None,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        decode = "last-mem" if decode == "last_mem" else decode
        if not isinstance(decode, str | None) or decode not in DECODINGS:
            known = ", ".join(repr(name) for name in DECODINGS if name)
            raise ValueError(f"decode must be None or one of {known}, got {decode!r}")
        super().__init__(
            torch.inf, None, None, True, step_mode, backend, store_v_seq, store_state_seqs
        )
        self.decode = decode
        for name, value in DECODINGS[decode].items():
            self.register_memory(name, value)

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """Charge; the potential, or what is decoded so far."""
        self.v_float_to_tensor(x)
        self.neuronal_charge(x, *inputs)
        self._decode_step()
        return self.v if self.decode is None else self._decoded()

    def forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """The potentials of this call, or what is decoded of all steps since the reset."""
        output = super().forward(x, *inputs)
        if self.decode is None or self.step_mode == "s":
            return output
        output = self._decoded()
        note_backward(self, output)
        return output

    def _decode_step(self) -> None:
        # Of equal potentials the first counts, and takes the gradient, as in torch.max; nan stays.
        if self.decode in ("max-mem", "max-abs-mem"):
            self.top = torch.where(self.v <= self.top, self.top, self.v)
        if self.decode == "max-abs-mem":
            self.bottom = torch.where(self.v >= self.bottom, self.bottom, self.v)
        if self.decode == "mean-mem":
            self.total, self.steps = self.total + self.v, self.steps + 1.0

    def _decoded(self) -> Tensor:
        if self.decode == "max-mem":
            return self.top
        if self.decode == "max-abs-mem":
            return torch.where(self.top.abs() > self.bottom.abs(), self.top, self.bottom)
        if self.decode == "mean-mem":
            return self.total / self.steps
        return self.v

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"decode={self.decode!r}, step_mode={self.step_mode}, backend={self.backend}"


class NonSpikingIFNode(NonSpikingBaseNode):
    r"""Readout that integrates: a sum of its inputs.

    .. math::
        V[t] = V[t-1] + X[t]

    Arguments:
        decode: What is made of the potentials, as :class:`NonSpikingBaseNode` says.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
        output: [N, \*]; without decode [T, N, \*] when step_mode is 'm'.
    State:
        v: membrane potential, [N, \*]; starts at 0.
    References:
        | Neuronal Dynamics (Gerstner, Kistler, Naud, Paninski, 2014), section 1.3
        | https://neuronaldynamics.epfl.ch/online/Ch1.S3.html

    Example:
        >>> x_seq = torch.tensor([[1.0], [2.0], [-4.0]])
        >>> NonSpikingIFNode(step_mode="m")(x_seq).flatten()
        tensor([ 1.,  3., -1.])
        >>> NonSpikingIFNode("max-mem", step_mode="m")(x_seq)
        tensor([3.])
    """

    def neuronal_charge(self, x: Tensor) -> None:
        """Integrate."""
        self.v = self.v + x


class NonSpikingLIFNode(NonSpikingBaseNode):
    r"""Readout that integrates and leaks: a moving average of its inputs.

    .. math::
        V[t] = V[t-1] + \tfrac{1}{\tau} (X[t] - V[t-1])

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        decode: What is made of the potentials, as :class:`NonSpikingBaseNode` says.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
        output: [N, \*]; without decode [T, N, \*] when step_mode is 'm'.
    State:
        v: membrane potential, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1, or decode is unknown.
    References:
        | Neuronal Dynamics (Gerstner, Kistler, Naud, Paninski, 2014), section 1.3
        | https://neuronaldynamics.epfl.ch/online/Ch1.S3.html

    Example:
        >>> node = NonSpikingLIFNode(tau=2.0, decode="mean-mem", step_mode="m")
        >>> node(torch.ones(2, 1))
        tensor([0.6250])
    """

    tau: Scalar

    def __init__(
        self,
        tau: Scalar = 2.0,
        decode: str | None = None,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        super().__init__(decode, step_mode, backend, store_v_seq, store_state_seqs)
        self.set_parameter("tau", tau)
        check_tau("tau", self.tau)

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak and integrate."""
        self.v = self.v + (x - self.v) / self.tau

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"tau={show(self.tau)}, {super().extra_repr()}"
