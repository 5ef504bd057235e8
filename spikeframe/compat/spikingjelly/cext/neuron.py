"""SpikingJelly's ``cext.neuron``: the surrogate by its name, ATan by default, and tau=100."""

from torch import nn

from .... import surrogate
from ..activation_based import neuron
from ..activation_based.neuron import BaseNode

__all__ = ["BaseNode", "IFNode", "LIFNode", "MultiStepIFNode", "MultiStepLIFNode"]

SURROGATES = {"ATan": surrogate.ATan, "Sigmoid": surrogate.Sigmoid}


class IFNode(neuron.IFNode):
    """``neuron.IFNode`` with a surrogate that is named 'ATan' or 'Sigmoid'."""

    def __init__(
        self,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: str = "ATan",
        alpha: float = 2.0,
        detach_reset: bool = False,
    ) -> None:
        super().__init__(v_threshold, v_reset, _surrogate(surrogate_function, alpha), detach_reset)


class LIFNode(neuron.LIFNode):
    """``neuron.LIFNode`` with a surrogate that is named 'ATan' or 'Sigmoid'."""

    def __init__(
        self,
        tau: float = 100.0,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: str = "ATan",
        alpha: float = 2.0,
        detach_reset: bool = False,
    ) -> None:
        function = _surrogate(surrogate_function, alpha)
        super().__init__(tau, True, v_threshold, v_reset, function, detach_reset)


class MultiStepIFNode(IFNode):
    """:class:`IFNode` in step mode 'm'."""

    def __init__(
        self,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: str = "ATan",
        alpha: float = 2.0,
        detach_reset: bool = False,
    ) -> None:
        super().__init__(v_threshold, v_reset, surrogate_function, alpha, detach_reset)
        self.step_mode = "m"


class MultiStepLIFNode(LIFNode):
    """:class:`LIFNode` in step mode 'm'."""

    def __init__(
        self,
        tau: float = 100.0,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: str = "ATan",
        alpha: float = 2.0,
        detach_reset: bool = False,
    ) -> None:
        super().__init__(tau, v_threshold, v_reset, surrogate_function, alpha, detach_reset)
        self.step_mode = "m"


def _surrogate(name: str, alpha: float) -> nn.Module:
    if name not in SURROGATES:
        allowed = " or ".join(map(repr, SURROGATES))
        raise ValueError(f"surrogate_function must be {allowed}, got {name!r}")
    return SURROGATES[name](alpha)
