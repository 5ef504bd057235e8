"""A surrogate gradient from a function of snnTorch's kind."""

__all__ = ["CustomSurrogate"]

from collections.abc import Callable

import torch
from torch import Tensor

from .base import Surrogate


class CustomSurrogate(Surrogate):
    r"""Backward pass from a function of the input, the incoming gradient and the spikes.

    .. math::
        \frac{\partial L}{\partial u} := f\Bigl(u, \frac{\partial L}{\partial S}, S\Bigr)

    A subclass of :class:`Surrogate` with a ``derivative`` says the same and can be fused into a
    kernel; this class is for functions that exist already.

    Arguments:
        fn: Called as ``fn(input_, grad_input, spikes)``, returns the gradient. It may write into
            grad_input, which is a copy. A module-level function can be pickled, a lambda cannot.
        strict: Fire only above the threshold, not at it.

    Raises:
        TypeError: fn is not callable.

    Example:
        >>> def fast_sigmoid(input_, grad_input, spikes):
        ...     return grad_input / (25 * input_.abs() + 1) ** 2
        >>> CustomSurrogate(fast_sigmoid)
        CustomSurrogate(fast_sigmoid, spiking=True)
        >>> u = torch.tensor([0.04], requires_grad=True)
        >>> CustomSurrogate(fast_sigmoid)(u).backward()
        >>> u.grad
        tensor([0.2500])
    """

    fn: Callable[[Tensor, Tensor, Tensor], Tensor]

    def __init__(
        self, fn: Callable[[Tensor, Tensor, Tensor], Tensor], *, strict: bool = False
    ) -> None:
        if not callable(fn):
            raise TypeError(f"fn must be callable as fn(input_, grad_input, spikes), got {fn!r}")
        super().__init__(strict=strict)
        self.fn = fn

    def derivative(self, u: Tensor) -> Tensor:
        return self.gradient(u, torch.ones_like(u))

    def gradient(self, u: Tensor, grad: Tensor) -> Tensor:
        return self.fn(u, grad.clone(), self.fire(u))

    def extra_repr(self) -> str:
        return f"{getattr(self.fn, '__name__', self.fn)}, {super().extra_repr()}"
