"""A backend that a model names and this machine lacks: 'auto' in its place, with one notice."""

import functools
import warnings
from typing import Any

import torch
from torch import Tensor

from ... import base, kernels

__all__ = ["AnyBackend", "notice"]

# Backends of SpikingJelly that have no namesake here.
ELSEWHERE = ("inductor",)
EVERYWHERE = ("auto", "eager")


class AnyBackend(base.TracedModule):
    """A node whose ``backend`` is a wish: where it cannot be had, 'auto' serves.

    Published models say ``backend='cupy'`` in their code, and would not run without a GPU. What
    the backend is replaced by gives the same spikes. It is replaced at the first call, and
    stays so.
    """

    _served: tuple[str, torch.device] | None = None

    @property
    def backend(self) -> str:
        """What runs a sequence: 'auto' or a name of ``kernels.NAMES``."""
        return self._backend

    @backend.setter
    def backend(self, backend: str) -> None:
        if backend in ELSEWHERE:
            notice(f"there is no backend {backend!r} here: 'auto' takes the fastest there is")
            backend = "auto"
        self._backend = kernels.check_name(backend)

    def forward(self, x: Tensor, *inputs: Any) -> Tensor:
        r"""Spikes of one step [N, \*] or of a sequence [T, N, \*], as ``step_mode`` says."""
        if self.backend not in EVERYWHERE:
            self._settle(x.device)
        return super().forward(x, *inputs)

    def _settle(self, device: torch.device) -> None:
        """Take 'auto' unless the backend serves this node there."""
        if self._served == (self.backend, device):
            return
        reason = kernels.why_not(self, self.backend, device)
        if reason is not None:
            notice(f"backend {self.backend!r} cannot be had ({reason}): 'auto' takes its place")
            self.backend = "auto"
        self._served = (self.backend, device)


@functools.cache
def notice(text: str) -> None:
    """Warn of something, once: a published model has dozens of neurons with one backend."""
    warnings.warn(text, stacklevel=2)
