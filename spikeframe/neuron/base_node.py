r"""What every neuron of the SpikingJelly family shares: charge, fire, reset.

.. math::
    H[t] &= f(V[t-1], X[t]) \\
    S[t] &= \Theta(H[t] - V_{th}) \\
    V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{(hard reset)} \\
    V[t] &= H[t] - S[t] V_{th} \quad\text{(soft reset, } V_{reset} \text{ is None)}

:math:`X` is the input, :math:`H` the membrane potential before and :math:`V` after the reset,
:math:`S` the spike; :math:`V[0]` is :math:`V_{reset}`, or 0 with a soft reset. A neuron is its
:math:`f`, one hook in plain torch; a backend may run the hooks as one fused kernel.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from .node import Node
from .parameter import (
    Scalar,
    check_finite,
    check_flag,
    check_number,
    finite_threshold,
    show,
)

__all__ = ["BaseNode", "Scalar", "check_flag", "check_number", "show"]

_SHARED = ("v_threshold", "v_reset")

# What makes the output of the surrogate's spikes.
_OUTPUT = (
    "single_step_forward",
    "neuronal_fire",
    "multi_step_forward",
    "run_sequences",
    "eager_step",
)


class BaseNode(Node):
    r"""Base class of neurons: subclass it and write ``neuronal_charge``.

    .. math::
        S[t] &= \Theta(H[t] - V_{th}) \\
        V[t] &= S[t] V_{reset} + (1 - S[t]) H[t] \quad\text{or}\quad H[t] - S[t] V_{th}

    States and arithmetic are float32 (float64 for a float64 input); spikes have the input's
    floating-point dtype. Integer and bool inputs are read as float32.

    Arguments:
        v_threshold: Threshold :math:`V_{th}`, in units of the membrane potential; a number, a
            tensor that broadcasts to [N, \*] (per channel [C, 1, 1], per neuron), or an
            nn.Parameter. A node with threshold ``inf`` never fires and is never reset: a readout.
        v_reset: Reset potential :math:`V_{reset}`, likewise, or None for the soft reset.
        surrogate_function: The spike as a function of :math:`H - V_{th}`, with a surrogate
            gradient; any callable. ``surrogate.Sigmoid()`` by default, a new one per node.
        detach_reset: Keep the reset's dependence on the spike out of the backward.
        step_mode: 's' for one step per call, 'm' for a sequence.
        backend: 'auto', 'eager', 'torch', 'cpp', 'triton' or 'cupy'.
        store_v_seq: Keep :math:`V[t]` of all steps as ``v_seq``, [T, N, \*].
        store_state_seqs: Keep every state of all steps, as ``state_seqs`` by name.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; a number before the first step.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.

    Example:
        >>> class LeakyNode(BaseNode):
        ...     def neuronal_charge(self, x):
        ...         self.v = 0.9 * self.v + x
        >>> LeakyNode(step_mode="m")(torch.full((4, 1), 0.4)).flatten()
        tensor([0., 0., 1., 0.])
    """

    v: Any
    reset_parameters: ClassVar[dict[str, str]] = {"v": "v_reset"}
    v_threshold: Scalar
    v_reset: Scalar | None

    def __init__(
        self,
        v_threshold: Scalar = 1.0,
        v_reset: Scalar | None = 0.0,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        detach_reset: bool = False,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        super().__init__(
            surrogate_function,
            step_mode=step_mode,
            backend=backend,
            store_v_seq=store_v_seq,
            store_state_seqs=store_state_seqs,
        )
        self.set_parameter("v_threshold", v_threshold)
        if v_reset is None:
            self.v_reset = None
        else:
            self.set_parameter("v_reset", v_reset)
            check_finite("v_reset", self.v_reset)
        self.detach_reset = check_flag("detach_reset", detach_reset)
        self.register_memory("v", None)

    def neuronal_charge(self, x: Tensor) -> None:
        """The neuron's own line: set ``self.v`` to H[t] from V[t-1] and the input X[t]."""
        raise NotImplementedError(
            f"{type(self).__name__} must define neuronal_charge(x), which updates self.v"
        )

    def neuronal_fire(self) -> Tensor:
        """The spike S[t] from H[t]."""
        return self.surrogate_function(self.v - self.v_threshold)

    def neuronal_reset(self, spike: Tensor) -> None:
        """Set ``self.v`` to V[t] from H[t] and the spike S[t]."""
        self.v = self.voltage_reset(self.v, spike, self.v_threshold)

    def voltage_reset(self, h: Tensor, spike: Tensor, v_threshold: Scalar) -> Tensor:
        """The potential V[t] from H[t], the spike S[t], and what a soft reset subtracts."""
        spike_d = spike.detach() if self.detach_reset else spike
        if self.v_reset is None:
            return self.jit_soft_reset(h, spike_d, v_threshold)
        return self.jit_hard_reset(h, spike_d, self.v_reset)

    def single_step_forward(self, x: Tensor, *inputs: Any) -> Tensor:
        """Charge, fire, reset."""
        self.v_float_to_tensor(x)
        self.neuronal_charge(x, *inputs)
        spike = self.neuronal_fire()
        self.neuronal_reset(spike)
        return spike

    @property
    def fires_binary(self) -> bool:
        """Whether spikes are 0 or 1: they are the surrogate's, and it gives nothing else."""
        kind, own = type(self), vars(self)
        if any(getattr(kind, n) is not getattr(BaseNode, n) or n in own for n in _OUTPUT):
            return False
        return getattr(self.surrogate_function, "binary", False) is True

    @property
    def v_seq(self) -> Tensor | None:
        r"""V of the last sequence in 'm', or of all steps since the reset in 's', [T, N, \*].

        None unless ``store_v_seq``. A subclass that loops over time itself may assign it.
        """
        return self.recorded("v_seq")

    @v_seq.setter
    def v_seq(self, v_seq: Tensor | None) -> None:
        self._records["v_seq"] = [] if v_seq is None else [v_seq]

    def v_float_to_tensor(self, x: Tensor) -> None:
        """Give a membrane potential that is still a number the shape of the input."""
        if isinstance(self.v, int | float):
            self.v = torch.full_like(x.detach(), float(self.v))

    @staticmethod
    def jit_hard_reset(v: Tensor, spike: Tensor, v_reset: Scalar) -> Tensor:
        """The membrane potential at v_reset where it spiked."""
        return spike * v_reset + (1.0 - spike) * v

    @staticmethod
    def jit_soft_reset(v: Tensor, spike: Tensor, v_threshold: Scalar) -> Tensor:
        """The membrane potential less the threshold where it spiked."""
        return v - spike * finite_threshold(v_threshold)

    def extra_repr(self) -> str:
        """The arguments, for print."""
        reset = "None" if self.v_reset is None else show(self.v_reset)
        own = [name for name in self._equation_parameters if name not in _SHARED]
        return (
            f"v_threshold={show(self.v_threshold)}, v_reset={reset}, "
            f"detach_reset={self.detach_reset}, step_mode={self.step_mode}, "
            f"backend={self.backend}"
        ) + "".join(f", {name}={show(getattr(self, name))}" for name in own)
