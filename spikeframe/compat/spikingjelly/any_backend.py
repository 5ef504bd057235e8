"""A backend that a model names and this machine lacks: 'auto' in its place, with one notice."""

import functools
import warnings
from typing import Any

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

    _served: tuple[str, str] | None = None

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
        asked = (self.backend, str(x.device))
        if asked[0] not in EVERYWHERE and self._served != asked:
            if _is_missing(self, *asked):
                self.backend = "auto"
            else:
                self._served = asked
        return super().forward(x, *inputs)


def _is_missing(node: AnyBackend, backend: str, device: str) -> bool:
    """Whether a backend does not serve a node there; says so."""
    reason = kernels.why_not(node, backend, device)
    if reason is not None:
        notice(f"backend {backend!r} cannot be had ({reason}): 'auto' takes its place")
    return reason is not None


# torch.compile asks it while it makes a graph, as torch.compiler.assume_constant_result would tell
# it to, which loads the compiler.
_is_missing._dynamo_marked_constant = True  # type: ignore[attr-defined]


@functools.cache
def notice(text: str) -> None:
    """Warn of something, once: a published model has dozens of neurons with one backend."""
    warnings.warn(text, stacklevel=2)
