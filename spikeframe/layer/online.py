r"""What carries spikes and their traces from layer to layer in online training (OTTT).

A layer computes with the spikes and takes its gradient at the traces: what a weight learns at a
step then includes the earlier spikes that the trace remembers, without backpropagation through
time.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import base
from ..base.location import Location

__all__ = ["GradwithTrace", "OTTTSequential", "ReplaceforGrad", "SpikeTraceOp"]

SpikesAndTrace = Sequence[Tensor]


class ReplaceforGrad(torch.autograd.Function):
    """``ReplaceforGrad.apply(x, other)`` is other, and passes its gradient to both.

    Example:
        >>> x = torch.ones(1, requires_grad=True)
        >>> y = ReplaceforGrad.apply(x, torch.full((1,), 5.0))
        >>> y.backward()
        >>> y.item(), x.grad
        (5.0, tensor([1.]))
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, other: Tensor) -> Tensor:
        """The other value."""
        return other.view_as(other)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient, to both."""
        return grads[0], grads[0]


class GradwithTrace(nn.Module):
    r"""Runs a module with weights on spikes, with the gradient of running it on their trace.

    The module runs twice; one that counts its calls (a BatchNorm in training) counts both.

    Arguments:
        module: A module for one step, such as ``nn.Linear``.
    Shape:
        input: Spikes and trace, [N, \*] both.
        output: Of the module on the spikes.

    Example:
        >>> linear = nn.Linear(1, 1, bias=False)
        >>> GradwithTrace(linear)([torch.ones(1, 1), torch.full((1, 1), 3.0)]).sum().backward()
        >>> linear.weight.grad
        tensor([[3.]])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: SpikesAndTrace) -> Tensor:
        """The module's output on the spikes, its gradient at the trace."""
        return _gradient_at_trace(self.module, x)


class SpikeTraceOp(nn.Module):
    r"""Runs a module without weights on spikes and on their trace alike.

    Arguments:
        module: A module for one step, such as ``nn.AvgPool2d``.
    Shape:
        input: Spikes and trace, [N, \*] both.
        output: A list of both after the module.
    Raises:
        ValueError: (when called) the module remembers something, which two calls would spoil.

    Example:
        >>> pool = SpikeTraceOp(nn.AvgPool1d(2))
        >>> pool([torch.ones(1, 2), torch.full((1, 2), 3.0)])
        [tensor([[1.]]), tensor([[3.]])]
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: SpikesAndTrace) -> list[Tensor]:
        """Spikes and trace, each through the module."""
        return _on_both(self.module, x)


class OTTTSequential(nn.Sequential):
    r"""A sequence of modules for one step, some of them ``neuron.OTTTLIFNode``.

    After a node, in training mode, each module with weights runs as :class:`GradwithTrace`, each
    without as :class:`SpikeTraceOp`, and the next node takes the spikes.

    Arguments:
        modules: Modules with step_mode 's', applied in turn; or one OrderedDict of them.
    Shape:
        input: [N, \*].
        output: Of the last module; of a node, in training mode, a list of spikes and trace.
    Raises:
        ValueError: (when called) a module that remembers something, and is not such a node,
            follows one.

    Example:
        >>> from spikeframe import neuron
        >>> net = OTTTSequential(nn.Linear(3, 5), neuron.OTTTLIFNode(), nn.Linear(5, 2))
        >>> net(torch.rand(4, 3)).shape
        torch.Size([4, 2])
    """

    def forward(self, input: Any) -> Any:
        """One step through all modules."""
        for module in self:
            if not isinstance(input, list):
                input = module(input)
            elif getattr(module, "returns_trace", False):
                input = module(input[0])
            elif next(module.parameters(), None) is None:
                input = _on_both(module, input)
            else:
                input = _gradient_at_trace(module, input)
        return input


def _gradient_at_trace(module: nn.Module, x: SpikesAndTrace) -> Tensor:
    spikes, trace = x
    _refuse_memories(module)
    with torch.no_grad():
        output = module(spikes)
    at_trace: Tensor = module(ReplaceforGrad.apply(spikes, trace))
    replaced: Tensor = ReplaceforGrad.apply(at_trace, output)
    return replaced


def _on_both(module: nn.Module, x: SpikesAndTrace) -> list[Tensor]:
    spikes, trace = x
    _refuse_memories(module)
    spikes = module(spikes)
    with torch.no_grad():
        trace = module(trace)
    return [spikes, trace]


def _refuse_memories(module: nn.Module) -> None:
    """A module that runs on spikes and trace must give both the same."""
    for name, inner in module.named_modules():
        if isinstance(inner, base.MemoryModule) and not inner.replayable:
            raise ValueError(
                f"{Location(module)} runs on spikes and on their trace, so it must remember "
                f"nothing, but {name or 'it'} ({type(inner).__name__}) does: use "
                "neuron.OTTTLIFNode, or put it where no trace comes in"
            )
