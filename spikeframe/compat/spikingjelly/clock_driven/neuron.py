"""SpikingJelly's ``neuron`` of ``clock_driven``: X takes one step, MultiStepX a sequence.

``MultiStepX`` is a subclass of ``X`` with step_mode 'm'. It keeps the membrane potential of all
steps as ``v_seq``, as it does there; ``store_v_seq = False`` saves that memory.
"""

from collections.abc import Callable

from torch import Tensor

from ..activation_based import neuron
from ..activation_based.neuron import (
    AdaptBaseNode,
    BaseNode,
    EIFNode,
    LIAFNode,
    ParametricLIFNode,
    QIFNode,
)

__all__ = [
    "AdaptiveBaseNode",
    "BaseNode",
    "EIFNode",
    "IFNode",
    "LIAFNode",
    "LIFNode",
    "MultiStepEIFNode",
    "MultiStepIFNode",
    "MultiStepLIFNode",
    "MultiStepParametricLIFNode",
    "ParametricLIFNode",
    "QIFNode",
]

Surrogate = Callable[[Tensor], Tensor]

AdaptiveBaseNode = AdaptBaseNode


class IFNode(neuron.IFNode):
    """``neuron.IFNode``; ``cupy_fp32_inference`` has no effect: any inference is fused."""

    def __init__(
        self,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Surrogate | None = None,
        detach_reset: bool = False,
        cupy_fp32_inference: bool = False,
    ) -> None:
        super().__init__(v_threshold, v_reset, surrogate_function, detach_reset)


class LIFNode(neuron.LIFNode):
    """``neuron.LIFNode``; ``cupy_fp32_inference`` has no effect: any inference is fused."""

    def __init__(
        self,
        tau: float = 2.0,
        decay_input: bool = True,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Surrogate | None = None,
        detach_reset: bool = False,
        cupy_fp32_inference: bool = False,
    ) -> None:
        super().__init__(tau, decay_input, v_threshold, v_reset, surrogate_function, detach_reset)


class MultiStepIFNode(IFNode):
    """``neuron.IFNode`` in step mode 'm'; ``lava_s_cale`` is for Lava and has no effect."""

    def __init__(
        self,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Surrogate | None = None,
        detach_reset: bool = False,
        backend: str = "auto",
        lava_s_cale: int = 1 << 6,
    ) -> None:
        super().__init__(v_threshold, v_reset, surrogate_function, detach_reset)
        _take_sequences(self, backend)


class MultiStepLIFNode(LIFNode):
    """``neuron.LIFNode`` in step mode 'm'; ``lava_s_cale`` is for Lava and has no effect."""

    def __init__(
        self,
        tau: float = 2.0,
        decay_input: bool = True,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Surrogate | None = None,
        detach_reset: bool = False,
        backend: str = "auto",
        lava_s_cale: int = 1 << 6,
    ) -> None:
        super().__init__(tau, decay_input, v_threshold, v_reset, surrogate_function, detach_reset)
        _take_sequences(self, backend)


class MultiStepParametricLIFNode(ParametricLIFNode):
    """``neuron.ParametricLIFNode`` in step mode 'm'."""

    def __init__(
        self,
        init_tau: float = 2.0,
        decay_input: bool = True,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Surrogate | None = None,
        detach_reset: bool = False,
        backend: str = "auto",
    ) -> None:
        super().__init__(
            init_tau, decay_input, v_threshold, v_reset, surrogate_function, detach_reset
        )
        _take_sequences(self, backend)


class MultiStepEIFNode(EIFNode):
    """``neuron.EIFNode`` in step mode 'm'."""

    def __init__(
        self,
        tau: float = 2.0,
        delta_T: float = 1.0,
        theta_rh: float = 0.8,
        v_threshold: float = 1.0,
        v_rest: float = 0.0,
        v_reset: float | None = -0.1,
        surrogate_function: Surrogate | None = None,
        detach_reset: bool = False,
        backend: str = "auto",
    ) -> None:
        super().__init__(
            tau, delta_T, theta_rh, v_threshold, v_rest, v_reset, surrogate_function, detach_reset
        )
        _take_sequences(self, backend)


def _take_sequences(node: neuron.BaseNode, backend: str) -> None:
    node.step_mode, node.backend, node.store_v_seq = "m", backend, True
