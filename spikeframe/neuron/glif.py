"""The gated leaky integrate-and-fire neuron, which learns what kind of neuron it is."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..base import MultiStepModule
from ..base.location import Location
from .base_node import BaseNode
from .parameter import check_count, check_number

__all__ = ["GatedLIFNode"]


class GatedLIFNode(MultiStepModule, BaseNode):
    r"""Gated leaky integrate-and-fire neuron (GLIF): exponential or linear decay, reset, gain.

    .. math::
        I[t] &= (1 - \beta (1 - c_t)) X[t] \\
        D[t] &= (1 - \alpha (1 - \tau)) V[t-1] \\
        V[t] &= D[t] - (1 - \alpha) l + I[t]
            - \gamma D[t] S[t-1] - (1 - \gamma) r S[t-1] \\
        S[t] &= \Theta(V[t] - V_{th})

    Every symbol but X, V and S is learned, and is the sigmoid of the parameter of that name:
    the gates alpha (exponential decay), beta (gain per step) and gamma (reset by decay), the
    decay tau, the linear decay l (``linear_decay``), the reset r (``v_subreset``), the gain
    :math:`c_t` of each step (``conduct``), and the threshold (``v_threshold``). A spike resets
    the membrane in the step after it; V is the potential before that. Both V and S are states,
    so a sequence may follow another (SpikingJelly's forgets S).

    Arguments:
        T: Number of steps of a sequence, each with a gain of its own.
        inplane: One value of each parameter per channel: their number C for images
            [N, C, H, W], or any shape that broadcasts to [N, \*]. None is one for the layer.
        init_linear_decay: Initial l, 0 to 1, per step; init_v_threshold / (2 T) if None.
        init_v_subreset: Initial r, 0 to 1; init_v_threshold if None.
        init_tau: Initial decay :math:`\tau`, 0 to 1, per step.
        init_v_threshold: Initial threshold, 0 to 1.
        init_conduct: Initial gain, 0 to 1.
        surrogate_function, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
        step_mode: 'm', as the gains are those of the steps of a sequence.
    Shape:
        input, output: [T, N, \*].
    State:
        v: membrane potential before the reset, [N, \*]; starts at 0.
        s: the last spike, [N, \*]; starts at 0.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An initial value is not between 0 and 1, T is less than 1, or a sequence has
            another number of steps.
    References:
        | GLIF: A Unified Gated Leaky Integrate-and-Fire Neuron for Spiking Neural Networks
          (Yao et al., 2022)
        | https://arxiv.org/abs/2210.13768

    Example:
        >>> node = GatedLIFNode(T=4)
        >>> node(torch.full((4, 2, 3), 0.6)).shape, len(list(node.parameters()))
        (torch.Size([4, 2, 3]), 8)
    """

    def __init__(
        self,
        T: int,
        inplane: int | Sequence[int] | None = None,
        init_linear_decay: float | None = None,
        init_v_subreset: float | None = None,
        init_tau: float = 0.25,
        init_v_threshold: float = 0.5,
        init_conduct: float = 0.5,
        surrogate_function: Callable[[Tensor], Tensor] | None = None,
        step_mode: str = "m",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        super().__init__(
            1.0,
            None,
            surrogate_function,
            False,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        self.T = check_count("T", T)
        shape = _shape(inplane)
        for gate in ("alpha", "beta", "gamma"):
            self.set_parameter(gate, nn.Parameter(0.2 * (torch.rand(shape) - 0.5)))
        linear = init_v_threshold / (2 * T) if init_linear_decay is None else init_linear_decay
        subreset = init_v_threshold if init_v_subreset is None else init_v_subreset
        self._learn("tau", "init_tau", init_tau, shape)
        self._learn("v_threshold", "init_v_threshold", init_v_threshold, shape)
        self._learn("linear_decay", "init_linear_decay", linear, shape)
        self._learn("v_subreset", "init_v_subreset", subreset, shape)
        self._learn("conduct", "init_conduct", init_conduct, (T, *shape))
        self.register_memory("s", 0.0)

    def multi_step_forward(self, x_seq: Tensor, *input_seqs: Any) -> Tensor:
        """Each step's gain, then the recurrence."""
        if x_seq.dim() and x_seq.shape[0] != self.T:
            raise ValueError(
                f"{Location(self)} takes sequences of T={self.T} steps, each with its own gain, "
                f"got {x_seq.shape[0]}"
            )
        gains = 1.0 - self.beta.sigmoid() * (1.0 - self.conduct.sigmoid())
        lacking = x_seq.dim() - gains.dim()
        gains = gains.reshape(self.T, *[1] * lacking, *gains.shape[1:])
        gains = self.in_state_precision(gains.to(torch.promote_types(gains.dtype, x_seq.dtype)))
        return super().multi_step_forward(x_seq, gains.expand(x_seq.shape), *input_seqs)

    def neuronal_charge(self, x: Tensor, gain: Tensor) -> None:  # type: ignore[override]
        """Decay, integrate, and undo the last spike."""
        alpha, gamma = self.alpha.sigmoid(), self.gamma.sigmoid()
        kept = (1.0 - alpha * (1.0 - self.tau.sigmoid())) * self.v
        v = kept - (1.0 - alpha) * self.linear_decay.sigmoid() + gain * x
        self.v = v - kept * gamma * self.s - (1.0 - gamma) * self.v_subreset.sigmoid() * self.s

    def neuronal_fire(self) -> Tensor:
        """The spike, where the membrane reaches the learned threshold."""
        threshold = torch.as_tensor(self.v_threshold).sigmoid()
        return self.surrogate_function(self.v - threshold)

    def neuronal_reset(self, spike: Tensor) -> None:
        """The next step resets."""
        self.s = spike

    def extra_repr(self) -> str:
        """The arguments, for print."""
        shape = list(self.alpha.shape)
        return f"T={self.T}, parameters of shape {shape}, backend={self.backend}"

    def _learn(self, name: str, argument: str, value: float, shape: tuple[int, ...]) -> None:
        value = check_number(argument, value)
        if not 0.0 < value < 1.0:
            raise ValueError(f"{argument} must be between 0 and 1, got {value}")
        logit = torch.full(shape, value, dtype=torch.float64).logit()
        parameter = nn.Parameter(logit.to(torch.get_default_dtype()))
        if name in ("v_threshold", "conduct"):
            setattr(self, name, parameter)
        else:
            self.set_parameter(name, parameter)


def _shape(inplane: int | Sequence[int] | None) -> tuple[int, ...]:
    if inplane is None:
        return ()
    if isinstance(inplane, Sequence) and not isinstance(inplane, str):
        return tuple(check_count("inplane", size) for size in inplane)
    return (check_count("inplane", inplane), 1, 1)
