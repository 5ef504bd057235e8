"""Containers that feed a module's output back into its input at the next step."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..base import MemoryModule
from ..base.location import Location, check_tensor
from ..base.step import inner_step_modules

__all__ = ["ElementWiseRecurrentContainer", "LinearRecurrentContainer"]


class _RecurrentContainer(MemoryModule):
    """Remembers the last output. The module inside takes single steps."""

    keeps_inner_step_mode = True
    sub_module: nn.Module
    y: Tensor | None

    def __init__(self, step_mode: str) -> None:
        super().__init__()
        self.step_mode = step_mode
        self.register_memory("y", None)

    def check_modules(self) -> None:
        """Raise a ValueError where a module in here takes sequences."""
        wrong = [m for m in inner_step_modules(self.sub_module) if m.step_mode != "s"]
        if wrong:
            raise ValueError(
                f"{Location(self)} runs step by step, so the modules in it need step_mode 's', "
                f"but {', '.join(type(m).__name__ for m in wrong)} has 'm'. Call "
                "functional.set_step_mode(module, 's') on it"
            )

    def forward(self, x: Tensor) -> Tensor:
        """One step or a sequence, as ``step_mode`` says."""
        self.check_modules()
        check_tensor(self, x)
        y: Tensor = super().forward(x)
        return y

    def single_step_forward(self, x: Tensor) -> Tensor:
        """One step of the module, and of its feedback."""
        before = x.new_zeros(self.output_shape(x)) if self.y is None else self._checked(self.y, x)
        self.y = self.sub_module(self.combine(x, before))
        return self.y

    def output_shape(self, x: Tensor) -> tuple[int, ...]:
        """The shape of the output for the step ``x``."""
        raise NotImplementedError

    def combine(self, x: Tensor, y: Tensor) -> Any:
        """The module's input, of the step ``x`` and the last output ``y``."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """The arguments."""
        return f"step_mode={self.step_mode}"

    def _checked(self, y: Tensor, x: Tensor) -> Tensor:
        if y.shape != self.output_shape(x):
            raise ValueError(
                f"{Location(self)}: the last output has shape {list(y.shape)} but an input of "
                f"shape {list(x.shape)} needs {list(self.output_shape(x))}: call "
                "functional.reset_net(net) before a new sequence"
            )
        return y


class ElementWiseRecurrentContainer(_RecurrentContainer):
    r"""A module with a feedback of the same shape.

    .. math::
        Y[t] = \text{sub\_module}(f(Y[t-1], X[t]))

    Arguments:
        sub_module: A module for one step whose output has the shape of its input.
        element_wise_function: f, of the last output and the input.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input, output: [N, \*] when step_mode is 's', [T, N, \*] when it is 'm'.
    State:
        y: the last output, [N, \*]; None until the first step, read as 0.
    Raises:
        ValueError: A module inside has step_mode 'm' (also at a call); at a call, the last output
            has another shape than the input.

    Example:
        >>> from spikeframe import neuron
        >>> net = ElementWiseRecurrentContainer(neuron.IFNode(), lambda y, x: x + y)
        >>> net(torch.ones(1)), net(torch.zeros(1))
        (tensor([1.]), tensor([1.]))
    """

    def __init__(
        self,
        sub_module: nn.Module,
        element_wise_function: Callable[[Tensor, Tensor], Tensor],
        step_mode: str = "s",
    ) -> None:
        super().__init__(step_mode)
        self.sub_module = sub_module
        self.element_wise_function = element_wise_function
        self.check_modules()

    def output_shape(self, x: Tensor) -> tuple[int, ...]:
        """The shape of the step ``x``."""
        return tuple(x.shape)

    def combine(self, x: Tensor, y: Tensor) -> Any:
        """f of the last output and the input."""
        return self.element_wise_function(y, x)


class LinearRecurrentContainer(_RecurrentContainer):
    r"""A module with a learned linear feedback of its output.

    .. math::
        Y[t] = \text{sub\_module}(W [X[t]; Y[t-1]] + b)

    Arguments:
        sub_module: A module for one step, from ``in_features`` to ``out_features``.
        in_features: Features of the input, and of what the module takes.
        out_features: Features of the module's output.
        bias: Learn b.
        step_mode: 's' for one step per call, 'm' for a sequence.
    Shape:
        input: [N, \*, in_features] when step_mode is 's', [T, N, \*, in_features] when it is 'm'.
        output: likewise, with out_features.
    State:
        y: the last output, [N, \*, out_features]; None until the first step, read as 0.
    Raises:
        ValueError: A module inside has step_mode 'm' (also at a call); at a call, the input has
            other features, or the last output another batch.

    Example:
        >>> from spikeframe import neuron
        >>> net = LinearRecurrentContainer(neuron.LIFNode(), 3, 3, step_mode="m")
        >>> net(torch.rand(4, 2, 3)).shape
        torch.Size([4, 2, 3])
    """

    def __init__(
        self,
        sub_module: nn.Module,
        in_features: int,
        out_features: int,
        bias: bool = True,
        step_mode: str = "s",
    ) -> None:
        super().__init__(step_mode)
        self.in_features, self.out_features = in_features, out_features
        self.rc = nn.Linear(in_features + out_features, in_features, bias)
        self.sub_module = sub_module
        self.check_modules()

    def output_shape(self, x: Tensor) -> tuple[int, ...]:
        """The shape of the output for the step ``x``."""
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"{Location(self)} takes steps [N, *, {self.in_features}], got {list(x.shape)}: "
                "make it with the in_features of your input"
            )
        return (*x.shape[:-1], self.out_features)

    def combine(self, x: Tensor, y: Tensor) -> Any:
        """The linear map of the input and the last output."""
        return self.rc(torch.cat((x, y.to(x.dtype)), -1))
