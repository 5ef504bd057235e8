"""The leaky integrate-and-fire neuron that fires integers."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .. import surrogate
from .lif import LIFNode
from .parameter import Scalar, check_positive

__all__ = ["ILIFNode"]


class ILIFNode(LIFNode):
    r"""Leaky integrate-and-fire neuron whose output counts the spikes of a step, 0 to D.

    .. math::
        H[t] &= (1 - \tfrac{1}{\tau}) V[t-1] + X[t] \\
        S[t] &= \operatorname{round}(\operatorname{clamp}(H[t] / V_{th}, 0, D)) \\
        V[t] &= H[t] - S[t] V_{th}

    Training uses the integers; in a deployed net each stands for as many spikes.

    Arguments:
        tau: Membrane time constant :math:`\tau > 1`, in time steps; the decay of 1/4 per step
            that is the default is that of the paper's code.
        v_threshold: Threshold :math:`V_{th} > 0`, also what each spike subtracts.
        surrogate_function: A ``surrogate.MultiLevelSpikeCount``, whose max_spike_count is D; of 4
            by default.
        detach_reset, step_mode, backend, store_v_seq, store_state_seqs: As of :class:`BaseNode`.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        v: membrane potential after the reset, [N, \*]; starts at 0.
    Raises:
        TypeError: surrogate_function is another surrogate, or another argument of another type.
        ValueError: surrogate_function does not spike, or an argument is outside of what is
            allowed.
    References:
        | Integer-Valued Training and Spike-Driven Inference Spiking Neural Network for
          High-performance and Energy-efficient Object Detection (Luo et al., 2024)
        | https://arxiv.org/abs/2407.20708

    Example:
        >>> import torch
        >>> node = ILIFNode(step_mode="m")
        >>> node(torch.tensor([[0.4], [2.6], [9.0], [-1.0]])).flatten()
        tensor([0., 3., 4., 0.])
        >>> node.v
        tensor([0.2313])
    """

    def __init__(
        self,
        tau: Scalar = 4.0 / 3.0,
        v_threshold: Scalar = 1.0,
        surrogate_function: surrogate.MultiLevelSpikeCount | None = None,
        detach_reset: bool = False,
        step_mode: str = "s",
        backend: str = "auto",
        store_v_seq: bool = False,
        store_state_seqs: bool = False,
    ) -> None:
        super().__init__(
            tau,
            False,
            v_threshold,
            None,
            surrogate_function,
            detach_reset,
            step_mode,
            backend,
            store_v_seq,
            store_state_seqs,
        )
        check_positive("v_threshold", self.v_threshold)
        _check_count(self.surrogate_function)

    def default_surrogate(self) -> Callable[[Tensor], Tensor]:
        """A new ``surrogate.MultiLevelSpikeCount(4)``."""
        return surrogate.MultiLevelSpikeCount(4)

    def neuronal_charge(self, x: Tensor) -> None:
        """Decay and integrate."""
        self.v = (1.0 - 1.0 / self.tau) * self.v + x

    def neuronal_fire(self) -> Tensor:
        """The number of thresholds that fit into the membrane."""
        return self.surrogate_function(self.v / self.v_threshold)


def _check_count(function: Any) -> None:
    if not isinstance(function, surrogate.MultiLevelSpikeCount):
        raise TypeError(
            "surrogate_function must be a surrogate.MultiLevelSpikeCount, which counts the "
            f"spikes of a step, got {type(function).__name__}"
        )
    if not function.spiking:
        raise ValueError("surrogate_function must count spikes, got one with spiking=False")
