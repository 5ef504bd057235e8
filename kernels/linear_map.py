"""The linear maps of torch that a step may put a state through, with their derivatives."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .event_steps import EventSteps, weight_grad

__all__ = ["LinearMap", "MakeMap", "make_map"]

_CONVOLUTIONS: dict[type, Callable[..., Tensor]] = {
    nn.Conv1d: F.conv1d,
    nn.Conv2d: F.conv2d,
    nn.Conv3d: F.conv3d,
}


class LinearMap(Protocol):
    r"""What a module does to one step [N, \*], with its weight and bias."""

    def apply(self, state: Tensor) -> Tensor:
        """What the module itself makes of a state, bit by bit."""
        ...

    def state_grad(self, grad: Tensor, state: Tensor) -> Tensor:
        """The cotangent of the state, of which the shape is read."""
        ...

    def weight_grad(self, grads: Tensor, states: Tensor) -> Tensor:
        r"""That of the weight, from all steps [T, N, \*] at once."""
        ...

    def bias_grad(self, grads: Tensor) -> Tensor:
        """That of the bias, likewise."""
        ...

    def keeps(self, shape: Sequence[int]) -> bool:
        """Whether it makes of a state of this shape one of the same shape."""
        ...

    def step_shape(self) -> tuple[int, ...]:
        """The shape of a small state for it, without its batch."""
        ...


MakeMap = Callable[[Tensor, Tensor | None], LinearMap]


def make_map(module: Any) -> MakeMap:
    """Makes the map of a module, as it is set now, of a weight and a bias."""
    if type(module) is nn.Linear:
        return _Linear
    options = module.stride, module.padding, module.dilation, module.groups
    return partial(_Convolution, _CONVOLUTIONS[type(module)], options)


class _Linear:
    """``nn.Linear``."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias
        self._events = EventSteps(weight, bias)

    def apply(self, state: Tensor) -> Tensor:
        product = self._events.product(state)
        return F.linear(state, self._weight, self._bias) if product is None else product

    def state_grad(self, grad: Tensor, state: Tensor) -> Tensor:
        return torch.matmul(grad, self._weight)

    def weight_grad(self, grads: Tensor, states: Tensor) -> Tensor:
        rows, columns = self._weight.shape
        return weight_grad(grads.reshape(-1, rows), states.reshape(-1, columns))

    def bias_grad(self, grads: Tensor) -> Tensor:
        return grads.reshape(-1, grads.shape[-1]).sum(0)

    def keeps(self, shape: Sequence[int]) -> bool:
        return len(shape) > 0 and tuple(self._weight.shape) == (shape[-1], shape[-1])

    def step_shape(self) -> tuple[int, ...]:
        return (self._weight.shape[1],)


class _Convolution:
    """``nn.Conv1d``, ``nn.Conv2d`` or ``nn.Conv3d``, of batches.

    Arguments:
        function: The function of torch's.
        options: Stride, padding, dilation and groups.
        weight: The kernels.
        bias: One number a channel, or None.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        options: tuple[Any, ...],
        weight: Tensor,
        bias: Tensor | None,
    ) -> None:
        self._function, self._options = function, options
        self._weight, self._bias = weight, bias

    def apply(self, state: Tensor) -> Tensor:
        return self._function(state, self._weight, self._bias, *self._options)

    def state_grad(self, grad: Tensor, state: Tensor) -> Tensor:
        return self._backward(grad, state, (True, False, False))[0]

    def weight_grad(self, grads: Tensor, states: Tensor) -> Tensor:
        return self._backward(grads.flatten(0, 1), states.flatten(0, 1), (False, True, False))[1]

    def bias_grad(self, grads: Tensor) -> Tensor:
        return grads.flatten(0, 1).transpose(0, 1).flatten(1).sum(1)

    def keeps(self, shape: Sequence[int]) -> bool:
        stride, padding, dilation, groups = self._options
        channels, inner, *sizes = self._weight.shape
        same = [2 * p == d * (n - 1) for p, d, n in zip(padding, dilation, sizes, strict=True)]
        batched = len(shape) == self._weight.dim() and shape[1] == channels == inner * groups
        return batched and all(same) and set(stride) == {1}

    def step_shape(self) -> tuple[int, ...]:
        _, _, dilation, groups = self._options
        _, inner, *sizes = self._weight.shape
        return (inner * groups, *(d * (n - 1) + 1 for d, n in zip(dilation, sizes, strict=True)))

    def _backward(
        self, grad: Tensor, state: Tensor, wanted: tuple[bool, bool, bool]
    ) -> tuple[Tensor, ...]:
        stride, padding, dilation, groups = self._options
        found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
            *(grad, state, self._weight, None, stride, padding, dilation),
            *(False, [0] * len(stride), groups, wanted),
        )
        return found
