"""SpikingJelly's nodes to be subclassed: here every node is, and these are fused as well."""

from collections.abc import Callable

from torch import Tensor

from .base_node import BaseNode
from .lif import check_tau, leak_target
from .parameter import Scalar, check_flag

__all__ = ["SimpleBaseNode", "SimpleIFNode", "SimpleLIFNode"]


class SimpleBaseNode(BaseNode):
    """:class:`BaseNode` under SpikingJelly's name for a base to be subclassed.

    The membrane starts at v_reset (SpikingJelly's starts at 0, whatever v_reset is).

    Example:
        >>> import torch
        >>> class Mine(SimpleBaseNode):
        ...     def neuronal_charge(self, x):
        ...         self.v = 0.5 * self.v + x
        >>> Mine(step_mode="m")(torch.full((3, 1), 0.6)).flatten()
        tensor([0., 0., 1.])
    """


class SimpleIFNode(SimpleBaseNode):
    r"""Integrate-and-fire neuron, as :class:`IFNode`.

    .. math::
        H[t] = V[t-1] + X[t]

    Arguments:
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).

    Example:
        >>> import torch
        >>> SimpleIFNode(step_mode="m")(torch.full((3, 1), 0.6)).flatten()
        tensor([0., 1., 0.])
    """

    def neuronal_charge(self, x: Tensor) -> None:
        """Integrate."""
        self.v = self.v + x


class SimpleLIFNode(SimpleBaseNode):
    r"""Leaky integrate-and-fire neuron, as :class:`LIFNode` but for rounding.

    .. math::
        H[t] &= V[t-1] + \tfrac{1}{\tau} (V_{reset} - V[t-1] + X[t]) \quad\text{(decay\_input)} \\
        H[t] &= V[t-1] + \tfrac{1}{\tau} (V_{reset} - V[t-1]) + X[t] \quad\text{(otherwise)}

    A soft reset (v_reset None) leaks to 0 (SpikingJelly's raises).

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps.
        decay_input: Divide the input by :math:`\tau` too.
        v_threshold, v_reset, surrogate_function, detach_reset: As of :class:`BaseNode`.
        step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at v_reset (0 if None).
    Raises:
        TypeError: An argument is of another type.
        ValueError: tau is not greater than 1.

    Example:
        >>> import torch
        >>> SimpleLIFNode(2.0, True, step_mode="m")(torch.full((4, 1), 1.5)).flatten()
        tensor([0., 1., 0., 1.])
    """

    tau: Scalar

    def __init__(
        self,
        tau: Scalar,
        decay_input: bool,
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
            v_threshold,
            v_reset,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        self.set_parameter("tau", tau)
        check_tau("tau", self.tau)
        self.decay_input = check_flag("decay_input", decay_input)

    def neuronal_charge(self, x: Tensor) -> None:
        """Leak towards the reset potential and integrate."""
        rest = leak_target(self.v_reset)
        if self.decay_input:
            self.v = self.v + (rest - self.v + x) / self.tau
        else:
            self.v = self.v + (rest - self.v) / self.tau + x

    def extra_repr(self) -> str:
        """The arguments, for print."""
        return f"{super().extra_repr()}, decay_input={self.decay_input}"
