"""The registry of engines: every test of what an engine computes runs on each of them.

A new backend is tested by one row of ENGINES. A row for a device that is not here names what
stands in for it on the CPU; it takes the backend's place while a test runs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from spikeframe.kernels import triton
from spikeframe.kernels.backend import BACKENDS, fused_backend
from spikeframe.kernels.fused import Engine

from spikeframe import kernels, neuron

__all__ = ["ENGINES", "EngineCase"]


@dataclass(frozen=True)
class EngineCase:
    """A backend, and what runs it here.

    Arguments:
        name: The backend's name.
        stand_in: Makes the engine that runs on the CPU in its place, if it needs one.
        sizes: Numbers of neurons it is tried with.
        steps: Numbers of steps.
    """

    name: str
    stand_in: Callable[[], Engine] | None = None
    sizes: tuple[int, ...] = (1, 63, 1000, 1025, 4097)
    steps: tuple[int, ...] = (1, 2, 33)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the stand-in in the backend's place, or skip where there is nothing to run."""
        if self.stand_in is not None:
            row = fused_backend(self.name, self.stand_in())
            monkeypatch.setitem(BACKENDS, self.name, row)
        reason = kernels.why_not(neuron.IFNode(), self.name, torch.device("cpu"))
        if reason is not None:
            pytest.skip(reason)

    def __str__(self) -> str:
        return self.name


def _cuda_on_cpu() -> Engine:
    from cuda_on_cpu import ENGINE

    return ENGINE


def _interpreted_triton() -> Engine:
    from triton_on_cpu import interpret

    return triton.engine(interpret)


ENGINES = (
    # The interpreter takes milliseconds per step.
    EngineCase("triton", _interpreted_triton, sizes=(63, 1000), steps=(1, 2, 9)),
    EngineCase("cupy", _cuda_on_cpu),
    EngineCase("cpp"),
    EngineCase("torch"),
)
