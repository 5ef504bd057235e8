"""SpikingJelly's ``layer`` of ``clock_driven``: what is for sequences has a name of its own."""

from .... import layer
from ....layer import (
    DropConnectLinear,
    Dropout,
    Dropout2d,
    ElementWiseRecurrentContainer,
    LinearRecurrentContainer,
    MultiStepContainer,
    NeuNorm,
    SeqToANNContainer,
    SynapseFilter,
)

__all__ = [
    "DropConnectLinear",
    "Dropout",
    "Dropout2d",
    "ElementWiseRecurrentContainer",
    "LinearRecurrentContainer",
    "MultiStepContainer",
    "MultiStepDropout",
    "MultiStepDropout2d",
    "MultiStepTemporalWiseAttention",
    "MultiStepThresholdDependentBatchNorm1d",
    "MultiStepThresholdDependentBatchNorm2d",
    "MultiStepThresholdDependentBatchNorm3d",
    "NeuNorm",
    "SeqToANNContainer",
    "SynapseFilter",
]

# Made for sequences already.
MultiStepTemporalWiseAttention = layer.TemporalWiseAttention
MultiStepThresholdDependentBatchNorm1d = layer.ThresholdDependentBatchNorm1d
MultiStepThresholdDependentBatchNorm2d = layer.ThresholdDependentBatchNorm2d
MultiStepThresholdDependentBatchNorm3d = layer.ThresholdDependentBatchNorm3d


class MultiStepDropout(Dropout):
    """``layer.Dropout`` in step mode 'm'."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p, step_mode="m")


class MultiStepDropout2d(Dropout2d):
    """``layer.Dropout2d`` in step mode 'm'."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p, step_mode="m")
