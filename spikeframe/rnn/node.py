r"""Neurons that hear their layer's spikes of the last step, through weights of any kind.

.. math::
    X'[t] = X[t] + F(S[t-1])

:math:`F` is the product with a weight (one neuron to itself), a linear map or a convolution.
"""

from typing import Any

from torch import Tensor, nn

from ..neuron import Feedback, IFNode, LIFNode, ParametricLIFNode

__all__ = ["Recurrent", "RecurrentIFNode", "RecurrentLIFNode", "RecurrentParametricLIFNode"]


class Recurrent(Feedback):
    r"""Mixin that makes any neuron recurrent: ``class RecurrentEIF(Recurrent, EIFNode)``.

    Arguments:
        feedback: A number, tensor or nn.Parameter, with which each neuron's own spike is
            multiplied, one to one: that is part of the kernel. Or a module that maps spikes
            [N, \*] to inputs [N, \*], such as ``nn.Linear(F, F)`` or ``nn.Conv2d(C, C, 3,
            padding=1)``: these two are a product and a kernel for each step, any other module
            the neuron's own lines.
        args: As the neuron takes them.
        kwargs: As the neuron takes them.
    State:
        spk: the spikes of the last step, [N, \*]; 0 before the first.
    """

    def __init__(self, feedback: float | Tensor | nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_feedback(feedback)

    def neuronal_charge(self, x: Tensor, *inputs: Any) -> None:
        """The neuron's own charge, by the input and what comes back."""
        super().neuronal_charge(x + self.feedback(), *inputs)  # type: ignore[misc]


class RecurrentIFNode(Recurrent, IFNode):
    """A recurrent :class:`spikeframe.neuron.IFNode`; see :class:`Recurrent`.

    Example:
        >>> import torch
        >>> node = RecurrentIFNode(-0.5, step_mode="m")
        >>> node(torch.full((4, 1), 1.0)).flatten()
        tensor([1., 0., 1., 0.])
    """


class RecurrentLIFNode(Recurrent, LIFNode):
    """A recurrent :class:`spikeframe.neuron.LIFNode`; see :class:`Recurrent`.

    Example:
        >>> import torch
        >>> node = RecurrentLIFNode(nn.Linear(3, 3), tau=4.0, step_mode="m")
        >>> node(torch.ones(5, 2, 3)).shape
        torch.Size([5, 2, 3])
    """


class RecurrentParametricLIFNode(Recurrent, ParametricLIFNode):
    """A recurrent :class:`spikeframe.neuron.ParametricLIFNode`; see :class:`Recurrent`.

    Example:
        >>> import torch
        >>> node = RecurrentParametricLIFNode(nn.Conv2d(2, 2, 3, padding=1), step_mode="m")
        >>> node(torch.ones(5, 1, 2, 4, 4)).shape
        torch.Size([5, 1, 2, 4, 4])
    """
