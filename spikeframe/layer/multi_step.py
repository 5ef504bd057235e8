"""Lets any model written for one step take a sequence, by folding time into the batch once."""

from typing import Any

from torch import nn

from ..base import StepModule
from ..base.location import Location
from ..base.step import inner_step_modules
from ..functional.folding import folded_forward, warn_of_foreign_memories

__all__ = ["MultiStep"]


class MultiStep(StepModule, nn.Module):
    r"""A model for one step, such as one of torchvision's with neurons in it, over a sequence.

    With step_mode 'm' the steps of [T, N, \*] are folded into the batch once, so the model and
    every plain layer in it see T N samples; each module of ours that remembers (a neuron, a
    dropout) unfolds its input by itself and carries its state through the steps. So any model
    that keeps the batch its first dimension runs unchanged. With step_mode 's' the model is
    called as it is, for one step.

    Both are the same computation, but for what torch's layers do with a batch in training: batch
    norm takes its statistics over T N samples, and ``nn.Dropout`` draws anew at every step
    (:class:`Dropout` holds its mask).

    Modules in the model keep step_mode 's'. Those with 'm' are given the sequence, too, as long
    as this module has 'm' itself. A MultiStep inside another one changes nothing.

    Arguments:
        model: The model; its parameters are named ``model.…`` here.
        step_mode: 'm' for a sequence, 's' for one step per call.
    Shape:
        input, output: [T, N, \*] when step_mode is 'm', [N, \*] when it is 's'; tensors in
            tuples, lists and dicts likewise.
    Raises:
        TypeError: ``model`` is not an nn.Module.
        ValueError: The step mode is unknown. At a call: the inputs are no sequences [T, N, \*] of
            equal T and N; an output, or the input of a neuron, has no T N samples; or, with
            step_mode 's', a module inside has 'm'.
    Warns:
        UserWarning: A module has a ``reset()`` but is not of spikeframe.

    Example:
        >>> import torch
        >>> from spikeframe import neuron
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), neuron.IFNode(), nn.Flatten(1))
        >>> MultiStep(model)(torch.zeros(5, 2, 1, 8, 8)).shape
        torch.Size([5, 2, 144])
    """

    keeps_inner_step_mode = True

    def __init__(self, model: nn.Module, step_mode: str = "m") -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be an nn.Module, got {type(model).__name__}")
        self.model = model
        self.step_mode = step_mode
        warn_of_foreign_memories(self, model)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The model on one step, or on all steps at once, as ``step_mode`` says."""
        if self.step_mode == "m":
            return folded_forward(self, self.model, *inputs, **kwargs)
        check_inner_modules(self)
        return self.model(*inputs, **kwargs)

    def extra_repr(self) -> str:
        """The step mode."""
        return f"step_mode={self.step_mode}"


def check_inner_modules(owner: nn.Module) -> None:
    """Raise a ValueError where a module in ``owner``, given one step, takes sequences."""
    inside = [module for child in owner.children() for module in inner_step_modules(child)]
    wrong = {id(module) for module in inside if module.step_mode != "s"}
    found = [
        f"{name} ({type(module).__name__})"
        for name, module in owner.named_modules()
        if id(module) in wrong
    ]
    if found:
        raise ValueError(
            f"{Location(owner)} with step_mode 's' hands single steps to its modules, but these "
            f"have 'm': {', '.join(found)}. Call functional.set_step_mode(module, 's') on them"
        )
