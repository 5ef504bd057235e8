"""Step modes: one step [N, *] ('s') or a sequence [T, N, *] ('m') through the same module."""

from typing import Any

from torch import nn

from .entry import entered

__all__ = ["MultiStepModule", "SingleStepModule", "StepModule", "check_step_mode"]

STEP_MODES = ("s", "m")


def check_step_mode(step_mode: str) -> str:
    """Return ``step_mode`` if it is 's' or 'm'.

    Raises:
        ValueError: it is anything else.
    """
    if step_mode not in STEP_MODES:
        raise ValueError(f"step_mode must be 's' or 'm', got {step_mode!r}")
    return step_mode


class StepModule:
    """Mixin of modules that tell a step from a sequence.

    ``step_mode`` is 's' (the input is one step, [N, \\*]) or 'm' (the input is a sequence,
    [T, N, \\*]); a subclass that serves one of them only overrides :meth:`supported_step_mode`.
    """

    _step_mode: str = "s"

    remembers: bool = False
    """Whether one call leaves something for the next (a MemoryModule does)."""

    keeps_inner_step_mode: bool = False
    """Whether the module chooses the step modes of its submodules itself (containers do)."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "forward" in cls.__dict__:
            cls.forward = entered(cls.__dict__["forward"])  # type: ignore[attr-defined]

    def supported_step_mode(self) -> tuple[str, ...]:
        """The step modes this module serves."""
        return STEP_MODES

    def check_step_mode_supported(self, step_mode: str) -> None:
        """Raise a ValueError where ``step_mode`` is unknown, or not served by this module."""
        supported = self.supported_step_mode()
        if check_step_mode(step_mode) not in supported:
            raise ValueError(
                f"{type(self).__name__} supports step_mode {' and '.join(map(repr, supported))} "
                f"only, got {step_mode!r}"
            )

    @property
    def step_mode(self) -> str:
        """'s' for one step [N, \\*], 'm' for a sequence [T, N, \\*]."""
        return self._step_mode

    @step_mode.setter
    def step_mode(self, step_mode: str) -> None:
        self.check_step_mode_supported(step_mode)
        self._step_mode = step_mode


class SingleStepModule(StepModule):
    """A module that takes one step [N, \\*] only."""

    def supported_step_mode(self) -> tuple[str, ...]:
        """('s',)."""
        return ("s",)


class MultiStepModule(StepModule):
    """A module that takes a whole sequence [T, N, \\*] only."""

    _step_mode = "m"

    def supported_step_mode(self) -> tuple[str, ...]:
        """('m',)."""
        return ("m",)


def inner_step_modules(module: nn.Module) -> list[Any]:
    """The modules whose step mode a walk from ``module`` sets: all but those inside containers."""
    found: list[Any] = [module] if hasattr(module, "step_mode") else []
    if getattr(module, "keeps_inner_step_mode", False):
        return found
    return found + [inner for child in module.children() for inner in inner_step_modules(child)]
