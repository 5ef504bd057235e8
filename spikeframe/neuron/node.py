"""What every neuron is: a traced step that fires through a surrogate."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .. import base, surrogate

__all__ = ["Node", "check_surrogate"]


class Node(base.TracedModule):
    r"""Base of all neurons: subclass it, register memories, write ``single_step_forward``.

    Arguments:
        surrogate_function: The spike as a function of the distance from the threshold, with a
            surrogate gradient; any callable. It decides whether the neuron fires at the threshold
            or above it only (``strict=True``).
        options: As :class:`spikeframe.base.TracedModule` takes them: ``step_mode``, ``backend``,
            ``store_v_seq``, ``store_state_seqs``.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is outside of what is allowed.
    """

    replaceable = ("surrogate_function",)

    def __init__(
        self, surrogate_function: Callable[[Tensor], Tensor] | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        if surrogate_function is None:
            surrogate_function = self.default_surrogate()
        self.surrogate_function = check_surrogate(surrogate_function)

    def default_surrogate(self) -> Callable[[Tensor], Tensor]:
        """What the neuron fires by unless it is told: a new ``surrogate.Sigmoid()``."""
        return surrogate.Sigmoid()


def check_surrogate(function: Any) -> Callable[[Tensor], Tensor]:
    """A function of one tensor; a TypeError for anything else, and for a class of one."""
    if not callable(function):
        raise TypeError(
            "surrogate_function must be callable, such as surrogate.ATan(), got "
            f"{type(function).__name__}"
        )
    if isinstance(function, type) and issubclass(function, nn.Module):
        raise TypeError(
            f"surrogate_function must be an instance: write {function.__name__}() rather than "
            f"{function.__name__}"
        )
    return function
